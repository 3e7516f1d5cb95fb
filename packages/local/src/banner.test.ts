import { describe, expect, test } from "vitest";
import { banner } from "./banner.ts";
import { readConfig } from "./config.ts";

const show = (env: Record<string, string>, running = {}, problem?: string): string =>
	banner(readConfig({ DATA_DIR: "/data", ...env }, "/"), { httpPort: 7880, sipPort: 5060, demo: true, ...running }, problem);

describe("what the terminal says", () => {
	test("on the default ports", () => {
		expect(show({})).toBe(`
  Trunkline is running.

  API      http://127.0.0.1:7880    key devkey  secret secret
  Rooms    ws://127.0.0.1:7880  (embedded room server)
  SIP      sip:127.0.0.1 (UDP, TCP), audio on UDP ports 10000-20000
  Data     /data

  Call     sip:+15550100@127.0.0.1  from any SIP phone; it is answered when somebody is in the room "hello"
           be the caller    npm run phone -- sip:+15550100@127.0.0.1
           be in the room   npm run example examples/greeter.mjs
  Stop     Ctrl-C
`);
	});

	test("the ports in it are those that were opened", () => {
		const text = show({ PORT: "0", SIP_PORT: "0" }, { httpPort: 8080, sipPort: 5070 });
		expect(text).toContain("http://127.0.0.1:8080 ");
		expect(text).toContain("ws://127.0.0.1:8080 ");
		expect(text).toContain("sip:127.0.0.1:5070 ");
		expect(text).toContain("npm run phone -- sip:+15550100@127.0.0.1:5070\n");
		expect(text).toContain("  LIVEKIT_URL=ws://127.0.0.1:8080 npm run example examples/greeter.mjs\n");
	});

	test("HOST=0.0.0.0: the address that others dial, and a word about the key", () => {
		const text = show({ HOST: "0.0.0.0", ADVERTISED_ADDRESS: "192.0.2.7" });
		expect(text).toContain("http://192.0.2.7:7880 ");
		expect(text).toContain("sip:+15550100@192.0.2.7 ");
		expect(text).not.toContain("0.0.0.0");
		expect(text).toContain("everyone who can reach 192.0.2.7 can use this API");
		expect(show({ HOST: "0.0.0.0", LIVEKIT_API_KEY: "k", LIVEKIT_API_SECRET: "long and mine" })).not.toContain("Note");
	});

	test("IPv6 in brackets, quoted for the shell", () => {
		const text = show({ HOST: "::1" }, { sipPort: 5070 });
		expect(text).toContain("http://[::1]:7880 ");
		expect(text).toContain('npm run phone -- "sip:+15550100@[::1]:5070"');
		expect(text).not.toContain("Note");
	});

	test("an outside server, its secret not shown, its problem told", () => {
		const env = { LIVEKIT_URL: "wss://example.livekit.cloud", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "s3cret" };
		expect(show(env)).toContain("Rooms    wss://example.livekit.cloud\n");
		expect(show(env)).not.toContain("s3cret");
		expect(show(env)).not.toContain("Warning");
		expect(show(env)).not.toContain("greeter");
		expect(show(env, {}, "it is down")).toContain("\n  Warning  it is down.\n");
	});

	test("when the first trunk or rule is gone, nobody is sent to it", () => {
		expect(show({}, { demo: false })).not.toContain("+15550100");
		expect(show({}, { demo: false })).toContain("Call     sip:<number>@127.0.0.1  ");
	});
});
