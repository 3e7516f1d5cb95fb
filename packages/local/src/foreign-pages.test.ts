import { describe, expect, it } from "vitest";
import { foreignPage } from "./foreign-pages.ts";

const asked = (host: string, origin?: string, url = "/v1/calls?access_token=t", method = "POST") =>
	foreignPage({ method, url, headers: { host, ...(origin === undefined ? {} : { origin }) } });

describe("with the keys that everybody knows", () => {
	it.each([
		"127.0.0.1:7880",
		"localhost:7880",
		"[::1]:7880",
		"192.168.1.4:7880",
		"laptop:7880",
		"laptop.local",
		"trunkline.localhost:1",
		"host.docker.internal:7880",
	])("%s is this machine", (host) => expect(asked(host)).toBeUndefined());

	it.each([
		"evil.example",
		"evil.example:7880",
		"evil.example.",
		"127.0.0.1.evil.example",
		"local.evil.example",
		"localhost.evil.example:80",

		"evil.example@127.0.0.1@x.example",
	])("%j is a name of somebody else's, whatever it leads to", (host) =>
		expect(asked(host, undefined, "/", "GET")).toMatch(/no name of this machine/),
	);

	it.each([
		"https://evil.example",
		"http://203.0.113.9",
		"null",
		"http://127.0.0.1.evil.example",
		"http://localhost.evil.example",
		"chrome-extension://abc",
		"http://127.evil.example",
	])("a page of %s places no call", (origin) => {
		for (const url of [
			"/v1/calls?access_token=t",
			"/twirp/livekit.SIP/CreateSIPParticipant",
			"/v1/test-calls",
			"/console/config.json",
			"/%761/calls",
			"//v1/calls",
		])
			expect(asked("127.0.0.1:7880", origin, url)).toMatch(/may not use the API/);
	});

	it.each(["http://127.0.0.1:7880", "http://localhost:3000", "http://[::1]:7880", "http://app.localhost"])("a page of %s does", (origin) =>
		expect(asked("127.0.0.1:7880", origin)).toBeUndefined(),
	);

	it("the page of the network's address is its own", () => {
		expect(asked("192.168.1.4:7880", "http://192.168.1.4:7880")).toBeUndefined();
		expect(asked("192.168.1.4:7880", "http://192.168.1.5:7880")).toBeDefined();
	});

	it("rooms are joined from pages of everywhere, and a preflight is not refused", () => {
		expect(asked("127.0.0.1:7880", "https://meet.example", "/rtc?access_token=t", "GET")).toBeUndefined();
		expect(asked("127.0.0.1:7880", "https://meet.example", "/v1/calls", "OPTIONS")).toBeUndefined();
	});
});
