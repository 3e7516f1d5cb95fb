import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWav, toMono, tone, writeWav } from "@trunkline/audio";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { Pjsip, type PjsipOptions, pjsipMissing } from "./pjsip.ts";

const missing = pjsipMissing();
if (missing !== undefined) process.stderr.write(`Calls to and from PJSIP are not tried: ${missing}\n`);

describe.skipIf(missing !== undefined)("PJSIP (needs Python's pjsua2)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-pjsip-"));
	const peers: Pjsip[] = [];
	let files = 0;

	beforeAll(async () => {
		const authority = await TestAuthority.create();
		const { cert, key } = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
		for (const [name, text] of Object.entries({ "ca.pem": authority.cert, "node.crt.pem": cert, "node.key.pem": key }))
			writeFileSync(join(directory, name), text);
		bed = await Testbed.start({
			SIP_TLS_PORT: "0",
			SIP_TLS_CERT_FILE: join(directory, "node.crt.pem"),
			SIP_TLS_KEY_FILE: join(directory, "node.key.pem"),
			SIP_TLS_CA_FILE: join(directory, "ca.pem"),
		});
		writeFileSync(join(directory, "tone.wav"), writeWav(tone(8_000, 440, 20_000, -20), 8_000));
	});
	afterEach(async () => {
		for (const peer of peers.splice(0)) await peer.stop();
		await bed.clear();
		await bed.idle();
	});
	afterAll(async () => {
		await bed.close();
		rmSync(directory, { recursive: true, force: true });
	});

	async function pjsip(options: PjsipOptions = {}): Promise<Pjsip & { record: string }> {
		const record = join(directory, `heard-${files++}.wav`);
		const peer = await Pjsip.start({ play: join(directory, "tone.wav"), record, ...options });
		peers.push(peer);
		return Object.assign(peer, { record });
	}

	/** What PJSIP heard, all of it; it writes the file's header when it stops. */
	async function heardBy(peer: Pjsip & { record: string }): Promise<Int16Array> {
		await peer.stop();
		const wav = parseWav(readFileSync(peer.record));
		if (!wav.ok) throw new Error(wav.reason);
		return toMono(wav.wav);
	}

	const RATE = 16_000;
	/** The middle of the last `seconds`: the end is cut off anywhere. */
	const last = (audio: Int16Array, seconds: number): Int16Array =>
		audio.subarray(-Math.round((seconds + 0.2) * RATE), -Math.round(0.2 * RATE));

	async function callIn(number: string, room: string, options: PjsipOptions = {}, uri?: string) {
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const peer = await pjsip({ user: "pj", ...options });
		peer.do("call", { uri: uri ?? bed.uri(number) });
		await peer.event("state", { state: "CONFIRMED" });
		await until(() => agent.heardFrom().includes("sip_pj"), "the participant to hear PJSIP");
		return { agent, peer };
	}

	it("calls in over UDP and hangs up: both hear each other", async () => {
		const { agent, peer } = await callIn("+15550801", "pj-in");
		await settle();
		agent.take("sip_pj");
		await settle(1_500);
		expectTones(agent.take("sip_pj"), 48_000, [440], [1_000]);
		peer.do("hangup");
		await until(() => agent.left.includes("sip_pj"), "PJSIP to leave");
		expectTones(last(await heardBy(peer), 1), RATE, [1_000], [440]);
	});

	it("calls in over TCP", async () => {
		const { agent, peer } = await callIn("+15550811", "pj-tcp", { transport: "tcp" }, `${bed.uri("+15550811")};transport=tcp`);
		await settle();
		agent.take("sip_pj");
		await settle(1_200);
		expectTones(agent.take("sip_pj"), 48_000, [440], [1_000]);
		await bed.rooms.removeParticipant("pj-tcp", "sip_pj");
		await peer.event("state", { state: "DISCONNECTED" });
		expectTones(last(await heardBy(peer), 1), RATE, [1_000], [440]);
	});

	it("calls in over TLS with SRTP required on both sides: both hear each other", async () => {
		const number = "+15550812";
		const trunk = await bed.sip.createSipInboundTrunk("pjsip", [number], { mediaEncryption: 2 });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: "pj-tls", pin: "" }, { name: "pj-tls", trunkIds: [trunk.sipTrunkId] });
		const agent = await bed.participant("pj-tls", "agent");
		await agent.speak(1_000);
		const peer = await pjsip({ user: "pj", transport: "tls", srtp: "required", ca: join(directory, "ca.pem") });
		peer.do("call", { uri: `sip:${number}@127.0.0.1:${bed.local.sipTlsPort};transport=tls` });
		await peer.event("state", { state: "CONFIRMED" });
		await until(() => agent.heardFrom().includes("sip_pj"), "the participant to hear PJSIP");
		await settle();
		agent.take("sip_pj");
		await settle(1_200);
		expectTones(agent.take("sip_pj"), 48_000, [440], [1_000]);
		peer.do("hangup");
		await until(() => agent.left.includes("sip_pj"), "PJSIP to leave");
		expectTones(last(await heardBy(peer), 1), RATE, [1_000], [440]);
	});

	it("without SRTP it is refused where the trunk requires it", async () => {
		const number = "+15550813";
		const trunk = await bed.sip.createSipInboundTrunk("pjsip", [number], { mediaEncryption: 2 });
		await bed.sip.createSipDispatchRule(
			{ type: "direct", roomName: "pj-plain", pin: "" },
			{ name: "pj-plain", trunkIds: [trunk.sipTrunkId] },
		);
		const peer = await pjsip({ user: "pj" });
		peer.do("call", { uri: bed.uri(number) });
		expect(await peer.event("state", { state: "DISCONNECTED" })).toMatchObject({ code: 488 });
	});

	it("holds and resumes (re-INVITE): the room hears it before and after, not meanwhile, and the call goes on", async () => {
		const { agent, peer } = await callIn("+15550802", "pj-hold");
		const before = peer.events.length;
		peer.do("hold");
		await peer.event("media", { status: 2 }, { since: before });
		await settle();
		agent.take("sip_pj");
		await settle(2_500);
		expectTones(agent.take("sip_pj"), 48_000, [], [440]);
		const held = peer.events.length;
		peer.do("unhold");
		await peer.event("media", { status: 1 }, { since: held });
		await settle();
		agent.take("sip_pj");
		await settle(1_200);
		expectTones(agent.take("sip_pj"), 48_000, [440], [1_000]);
		peer.do("hangup");
		await until(() => agent.left.includes("sip_pj"), "PJSIP to leave");
	});

	it("sends UPDATE inside the call and gets 200", async () => {
		const { peer } = await callIn("+15550803", "pj-update");
		const since = peer.events.length;
		peer.do("update");
		await until(() => peer.events.slice(since).some(({ event }) => event === "message"), "an answer to UPDATE");
		expect(peer.events.slice(since).find(({ event }) => event === "message")).toMatchObject({ first: "SIP/2.0 200 OK" });
		peer.do("hangup");
		await peer.event("state", { state: "DISCONNECTED" });
	});

	it("calls in with session timers always on", async () => {
		const { peer } = await callIn("+15550804", "pj-timer", { timer: "always", timer_seconds: 90 });
		peer.do("hangup");
		expect(await peer.event("state", { state: "DISCONNECTED" })).toMatchObject({ code: 200 });
	});

	// 90 s is RFC 4028's least, so that a refresh takes 45 s.
	it.runIf(process.env["INTEROP_LONG"] !== undefined)(
		"a session of 90 s is refreshed, and goes on after it would have been over (INTEROP_LONG)",
		async () => {
			const { agent, peer } = await callIn("+15550806", "pj-long", { timer: "always", timer_seconds: 90 });
			const since = peer.events.length;
			await settle(100_000);
			const refreshes = peer.events.slice(since).filter(({ first }) => /^(UPDATE |INVITE |SIP\/2.0 200 )/.test(String(first)));
			expect(refreshes.length).toBeGreaterThanOrEqual(2);
			agent.take("sip_pj");
			await settle(1_200);
			expectTones(agent.take("sip_pj"), 48_000, [440], [1_000]);
			peer.do("hangup");
			await peer.event("state", { state: "DISCONNECTED" });
		},
	);

	it("digits as RFC 4733 events and as INFO reach the room, each once", async () => {
		const { agent, peer } = await callIn("+15550805", "pj-digits");
		peer.do("digits", { digits: "15#" });
		await until(() => agent.digits.length >= 3, "three digits");
		peer.do("digits", { digits: "7*", info: true });
		await until(() => agent.digits.length >= 5, "two digits by INFO");
		await settle();
		expect(agent.digits.map(({ digit }) => digit).join("")).toBe("15#7*");
		peer.do("hangup");
		await peer.event("state", { state: "DISCONNECTED" });
	});

	it("is called, rings reliably (PRACK), answers, and both hear each other", async () => {
		const peer = await pjsip({ prack: "required", answers: [183, 200] });
		const agent = await bed.participant("pj-out", "agent");
		await agent.speak(1_000);
		const trunk = await bed.sip.createSipOutboundTrunk("pjsip", peer.address, ["+15550100"], { transport: 0 });
		await bed.settings(trunk.sipTrunkId, { reliableProvisional: "supported" });
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "pjsip", "pj-out", { participantIdentity: "pj", waitUntilAnswered: true });
		expect(peer.messages().some((first) => first.startsWith("PRACK "))).toBe(true);
		await until(() => agent.heardFrom().includes("pj"), "the participant to hear PJSIP");
		await settle();
		agent.take("pj");
		await settle(1_200);
		expectTones(agent.take("pj"), 48_000, [440], [1_000]);
		await bed.rooms.removeParticipant("pj-out", "pj");
		await peer.event("state", { state: "DISCONNECTED" });
		expectTones(last(await heardBy(peer), 1), RATE, [1_000], [440]);
	});

	it("is called with early media: the room hears its 183 before the answer", async () => {
		const peer = await pjsip({ answers: [183] });
		const agent = await bed.participant("pj-early", "agent");
		const trunk = await bed.sip.createSipOutboundTrunk("pjsip", peer.address, ["+15550100"], { transport: 0 });
		await bed.settings(trunk.sipTrunkId, { earlyMedia: { toRoom: true } });
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "pjsip", "pj-early", { participantIdentity: "pj" });
		await until(() => agent.heardFrom().includes("pj"), "the participant to hear PJSIP's early media");
		await settle();
		agent.take("pj");
		await settle(1_000);
		expectTones(agent.take("pj"), 48_000, [440], []);
		expect(peer.events.some(({ state }) => state === "CONFIRMED")).toBe(false);
		peer.do("answer", { status: 200 });
		await peer.event("state", { state: "CONFIRMED" });
		peer.do("hangup");
		await until(() => agent.left.includes("pj"), "PJSIP to leave");
	});

	it("is sent a REFER and its refusal comes back in words", async () => {
		const peer = await pjsip({ answers: [200] });
		const trunk = await bed.sip.createSipOutboundTrunk("pjsip", peer.address, ["+15550100"], { transport: 0 });
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "pjsip", "pj-refer", { participantIdentity: "pj", waitUntilAnswered: true });
		await expect(bed.sip.transferSipParticipant("pj-refer", "pj", "sip:+15550199@127.0.0.1")).rejects.toThrow(/603|declin/i);
		await peer.event("transfer-request");
		peer.do("hangup");
		await peer.event("state", { state: "DISCONNECTED" });
	});
});
