import { writeFileSync } from "node:fs";
import { measureTone } from "@trunkline/audio";
import type { IncomingCall } from "@trunkline/phone";
import { SipClient } from "livekit-server-sdk";
import { afterEach, describe, expect, it } from "vitest";
import { clear, openPhone, Program, ROOT, type Running, start, temporaryDirectory } from "./local-process.ts";
import { until } from "./testbed.ts";
import { settle } from "./tones.ts";

afterEach(clear);

/** An example as a user starts it, without npm. */
const example = (name: string, { url }: Running, ...args: string[]): Program =>
	new Program([process.execPath, `${ROOT}/examples/${name}`, ...args], { LIVEKIT_URL: url.replace("http", "ws") });

/** dBov at this frequency in the last `ms` that were heard */
const level = (pcm: Int16Array, hz: number, ms: number): number =>
	measureTone(pcm.subarray(Math.max(0, pcm.length - ms * 8)), 8_000, hz).levelDb;

describe("examples/greeter.mjs", () => {
	it("answers, plays its notes, repeats what it hears a second later, and prints digits and attributes", async () => {
		const program = await start();
		const greeter = example("greeter.mjs", program);
		await greeter.says(/waiting for calls/);
		const phone = await openPhone();
		const call = await phone.call(`sip:+15550100@127.0.0.1:${program.sipPort}`, { from: "+15551111" });
		await call.answered();
		await until(() => level(call.received.pcm(), 783.99, 200) > -30, "the third note of the melody", 15_000);
		await until(() => level(call.received.pcm(), 1046.5, 200) > -30, "the fourth", 15_000);
		await greeter.says(/sip_\+15551111 is calling/);
		await greeter.says(/sip\.trunkPhoneNumber = \+15550100/);
		await greeter.says(/sip\.callStatus = active/);

		call.tone(440, -20);
		const began = performance.now();
		await until(() => level(call.received.pcm(), 440, 200) > -25, "the echo", 15_000);
		expect(performance.now() - began).toBeGreaterThan(900);
		call.silence();
		call.sendDtmf("4#");
		await greeter.says(/pressed 4\n[^]*pressed #\n/);
		await until(() => level(call.received.pcm(), 440, 500) < -45, "the end of the echo", 15_000);

		call.hangup();
		await greeter.says(/sip_\+15551111 hung up/);
		greeter.kill("SIGINT");
		expect(await greeter.exited).toMatchObject({ code: 0, signal: null });
	});

	it("says what is missing when nothing runs", async () => {
		const greeter = new Program([process.execPath, `${ROOT}/examples/greeter.mjs`], { LIVEKIT_URL: "ws://127.0.0.1:9" });
		expect(await greeter.exited).toMatchObject({ code: 1 });
		expect(greeter.stderr).toMatch(/cannot join the room "hello" at ws:\/\/127\.0\.0\.1:9: .*Is "npm start" running\?\n$/);
	});
});

describe("examples/dial.mjs", () => {
	it("calls a telephone, and hangs up with Ctrl-C", async () => {
		const program = await start();
		const phone = await openPhone();
		const ended = new Promise((resolve) => {
			phone.onIncoming((call) => {
				expect(call.to).toBe("+15550199");
				void call.ended().then(resolve);
				void call.answer();
			});
		});
		const dial = example("dial.mjs", program, "+15550199", `127.0.0.1:${phone.port}`);
		await dial.says(/answered: sip_\+15550199 is in the room "hello", call SCL_/);
		dial.kill("SIGINT");
		expect(await ended).toMatchObject({ answered: true, by: "remote", cause: "bye" });
		expect(await dial.exited).toMatchObject({ code: 0, signal: null });
		expect(dial.stdout).toContain("the call is over\n");
		expect(await new SipClient(program.url, "devkey", "secret").listSipOutboundTrunk(), "the example takes its trunk away").toEqual([]);
	});

	it("takes the call back with Ctrl-C while it rings", async () => {
		const program = await start();
		const phone = await openPhone();
		const calls: IncomingCall[] = [];
		phone.onIncoming((call) => {
			call.ring();
			calls.push(call);
		});
		const dial = example("dial.mjs", program, "+15550199", `127.0.0.1:${phone.port}`);
		await until(() => calls.length > 0, "the call", 20_000);
		dial.kill("SIGINT");
		expect(await calls[0]?.ended()).toMatchObject({ answered: false, by: "remote", cause: "cancelled" });
		expect(await dial.exited).toMatchObject({ code: 1, signal: null });
		expect(dial.stderr).toMatch(/^no call: /);
	});

	it("tells what the telephone said", async () => {
		const program = await start();
		const phone = await openPhone();
		phone.onIncoming((call) => call.reject(486, "Busy Here"));
		const dial = example("dial.mjs", program, "+15550199", `127.0.0.1:${phone.port}`);
		expect(await dial.exited).toMatchObject({ code: 1, signal: null });
		expect(dial.stderr).toMatch(/^no call: .*486/);
	});
});

describe("examples/warm-transfer.mjs", () => {
	it("the caller waits with music, the supervisor is consulted, and both are brought together", async () => {
		const program = await start();
		const greeter = example("greeter.mjs", program);
		await greeter.says(/waiting for calls/);
		const phone = await openPhone();
		const supervisors: IncomingCall[] = [];
		phone.onIncoming((call) => {
			supervisors.push(call);
			call.tone(620, -20);
			void call.answer();
		});
		const call = await phone.call(`sip:+15550100@127.0.0.1:${program.sipPort}`, { from: "+15551111" });
		await call.answered();
		await greeter.says(/sip\.callStatus = active/);
		const transfer = example("warm-transfer.mjs", program, "hello", "sip_+15551111", "+15550199", `127.0.0.1:${phone.port}`);
		await transfer.says(/sip_\+15551111 waits with music/);
		await until(() => TUNE.some((hz) => level(call.received.pcm(), hz, 200) > -35), "the music", 15_000);
		await transfer.says(/sip_\+15550199 is in "hello-consult"/);
		expect(level(call.received.pcm(), 620, 500), "the supervisor is not heard yet").toBeLessThan(-45);
		transfer.child.stdin?.write("\n");
		await transfer.says(/sip_\+15550199 and sip_\+15551111 are in "hello" together/);
		await until(() => level(call.received.pcm(), 620, 300) > -30, "the supervisor", 15_000);
		call.tone(440, -20);
		await until(() => level(supervisors[0]?.received.pcm() ?? new Int16Array(), 440, 300) > -30, "the caller", 15_000);
		expect(await transfer.exited).toMatchObject({ code: 0 });
		greeter.kill("SIGINT");
	});
});

/** notes of the tune that held callers hear */
const TUNE = [523.25, 659.26, 783.99, 440, 349.23, 392, 493.88, 587.33];

/** Told on standard error at the end: how much went to this machine, and each thing that went, or would have gone, anywhere else. */
const WITNESS = `data:text/javascript,${encodeURIComponent(`
	import dgram from "node:dgram";
	import dns from "node:dns";
	import net from "node:net";
	import { networkInterfaces } from "node:os";
	import { syncBuiltinESMExports } from "node:module";
	const seen = { local: 0, elsewhere: [] };
	const own = new Set(Object.values(networkInterfaces()).flatMap((list) => list.map(({ address }) => address)));
	const isHere = (host) => host === undefined || host === null || host.startsWith("127.") || own.has(host);
	const note = (what, host) => { if (isHere(host)) seen.local += 1; else seen.elsewhere.push(what + " " + host); };
	const wrap = (object, name, hostOf) => {
		const original = object[name];
		object[name] = function (...args) { note(name, hostOf(args)); return Reflect.apply(original, this, args); };
	};
	wrap(dgram.Socket.prototype, "send", (args) => args.find((arg, i) => i > 0 && typeof arg === "string"));
	wrap(dgram.Socket.prototype, "connect", (args) => args.find((arg) => typeof arg === "string"));
	wrap(net.Socket.prototype, "connect", ([first, second]) => {
		const given = Array.isArray(first) ? first[0] : first;
		return typeof given === "object" ? given.host : typeof second === "string" ? second : undefined;
	});
	for (const api of [dns, dns.promises])
		for (const name of Object.keys(api)) if (/^(lookup|resolve|reverse)/.test(name) && typeof api[name] === "function") wrap(api, name, ([host]) => host);
	syncBuiltinESMExports();
	process.on("exit", () => process.stderr.write("witness " + JSON.stringify(seen) + "\\n"));
`)}`;

it("no packet and no look-up leaves the machine, whoever calls whom", async () => {
	const program = await start({}, ["--import", WITNESS]);
	const greeter = example("greeter.mjs", program);
	await greeter.says(/waiting for calls/);
	const phone = await openPhone();
	phone.onIncoming((call) => void call.answer());
	const call = await phone.call(`sip:+15550100@127.0.0.1:${program.sipPort}`, { from: "+15551111" });
	await call.answered();
	const dial = example("dial.mjs", program, "+15550199", `127.0.0.1:${phone.port}`);
	await dial.says(/answered/);
	await settle(1_000);
	program.kill("SIGINT");
	expect(await call.ended()).toMatchObject({ by: "remote", cause: "bye" });
	expect(await program.exited).toMatchObject({ code: 0 });
	const seen = JSON.parse(/^witness (.*)$/m.exec(program.stderr)?.[1] ?? "null") as { local: number; elsewhere: string[] };
	expect(seen.elsewhere).toEqual([]);
	expect(seen.local, "the witness sees packets at all").toBeGreaterThan(100);
	expect(await greeter.exited, "the room is gone").toMatchObject({ code: 1 });
});

describe("examples/provider.mjs", () => {
	it("names the provider of two trunks, and its curl line reads what it wrote", async () => {
		const program = await start();
		// The number of the local demo is taken.
		const named = example("provider.mjs", program, "twilio", "+15550123", "acme.pstn.twilio.com");
		expect(await named.exited, named.stderr).toMatchObject({ code: 0 });
		expect(named.stdout).toMatch(/^acme\.pstn\.twilio\.com is a host of twilio\n/);
		expect(named.stdout).toContain("accepts calls from 54.172.60.0/30, ");
		const [, url = "", authorization = ""] = /curl (\S+) -H "Authorization: ([^"]+)"/.exec(named.stdout) ?? [];
		const answer = await fetch(url, { headers: { authorization } });
		expect(await answer.json()).toMatchObject({ kind: "inbound", settings: { provider: "twilio" }, accepts: { from: "provider" } });

		const refused = example("provider.mjs", program, "exotel", "+15550124", "pstn.in2.exotel.com");
		expect(await refused.exited).toMatchObject({ code: 1 });
		expect(refused.stderr).toMatch(/cannot be the provider of ST_\w+: settings\.provider: Exotel.* takes calls over TCP \(port 5070\)/);
	});
});

describe("examples/import-trunks.mjs", () => {
	it("copies trunks and rules with all that they say, asks for passwords, and does nothing twice", async () => {
		const [theirs, ours] = [await start(), await start()];
		const from = new SipClient(theirs.url, "devkey", "secret");
		const inbound = await from.createSipInboundTrunk("carrier", ["+15550171"], {
			allowedAddresses: ["203.0.113.0/24"],
			headersToAttributes: { "X-Id": "id" },
			krispEnabled: true,
		});
		const rule = { type: "individual" as const, roomPrefix: "call", pin: "4321" };
		await from.createSipDispatchRule(rule, { name: "calls", trunkIds: [inbound.sipTrunkId], attributes: { queue: "gold" } });
		const options = { transport: 1, authUsername: "me", authPassword: "long and secret" };
		const outbound = await from.createSipOutboundTrunk("way out", "sip.example.com", ["+15550171"], options);

		const copy = (env: Record<string, string>) =>
			new Program([process.execPath, `${ROOT}/examples/import-trunks.mjs`], {
				...{ FROM_URL: theirs.url, FROM_API_KEY: "devkey", FROM_API_SECRET: "secret", LIVEKIT_URL: ours.url },
				...env,
			});
		const without = copy({});
		expect(await without.exited).toMatchObject({ code: 1 });
		expect(without.stderr).toMatch(
			/^outbound trunk way out \(ST_\w+\): has a user name, and PASSWORDS has no password for it; left out\n$/,
		);
		const file = `${temporaryDirectory()}/passwords.json`;
		writeFileSync(file, JSON.stringify({ [outbound.sipTrunkId]: "long and secret" }));
		const again = copy({ PASSWORDS: file });
		expect(await again.exited, again.stderr).toMatchObject({ code: 0 });
		expect(again.stdout).toMatch(/inbound trunk carrier: is there\n/);
		expect(again.stdout).toMatch(/outbound trunk way out: made\n/);

		const to = new SipClient(ours.url, "devkey", "secret");
		const trunks = (await to.listSipInboundTrunk()).filter(({ name }) => name === "carrier");
		expect(trunks).toMatchObject([
			{ numbers: ["+15550171"], allowedAddresses: ["203.0.113.0/24"], headersToAttributes: { "X-Id": "id" }, krispEnabled: true },
		]);
		const rules = (await to.listSipDispatchRule()).filter(({ name }) => name === "calls");
		expect(rules).toMatchObject([{ trunkIds: [trunks[0]?.sipTrunkId], attributes: { queue: "gold" } }]);
		expect(rules[0]?.rule?.rule).toMatchObject({ case: "dispatchRuleIndividual", value: { roomPrefix: "call", pin: "4321" } });
		expect(await to.listSipOutboundTrunk()).toMatchObject([
			{ name: "way out", address: "sip.example.com", authUsername: "me", transport: 1 },
		]);
	});
});
