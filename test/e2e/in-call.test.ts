import { type CallDetails, callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { CallOptions } from "@trunkline/phone";
import { header } from "@trunkline/sip";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const SECOND = 1_000;
const CALLER = "sip_+15551111";
let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_550_700;

/** A telephone (440 Hz) that is in a room with somebody (1000 Hz). */
async function talking(options: Omit<CallOptions, "from"> = {}) {
	const [number, room] = [`+${++next}`, `room-${next}`];
	await bed.inbound(number, room);
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone();
	const call = await phone.call(bed.uri(number), { from: "+15551111", ...options });
	call.tone(440, -20);
	await call.answered();
	await until(() => agent.heardFrom().includes(CALLER), "the participant to hear the telephone");
	/** what the room and the telephone hear of each other from now on */
	const hear = async (): Promise<{ room: Int16Array; phone: Int16Array }> => {
		await settle();
		agent.take(CALLER);
		call.received.clear();
		await settle(1.5 * SECOND);
		return { room: agent.take(CALLER), phone: call.received.pcm() };
	};
	return { agent, call, hear, room };
}

/** the record of the room's call, once it has ended */
async function record(room: string): Promise<CallDetails> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const authorization = `Bearer ${await token.toJwt()}`;
	const get = async (path: string): Promise<unknown> => (await fetch(`${bed.local.url}${path}`, { headers: { authorization } })).json();
	const { calls } = callPageSchema.parse(await get(`/v1/calls?room=${room}&limit=1`));
	return callDetailsSchema.parse(await get(`/v1/calls/${calls[0]?.id ?? ""}`));
}

describe("hold by the telephone (RFC 3264 §8.4)", () => {
	it("its music is heard meanwhile, the room is not heard on it, nothing times out, and all is as before after it", async () => {
		const { agent, call, hear, room } = await talking();
		const before = await hear();
		expectTones(before.room, 48_000, [440], [700]);
		expectTones(before.phone, 8_000, [1_000], [440]);

		expect(await call.renegotiate({ direction: "sendonly" })).toBe(200);
		call.tone(700, -20);
		expect(call.negotiated?.direction).toBe("sendonly");
		const held = await hear();
		expectTones(held.room, 48_000, [700], [440]);
		expect(held.phone.length).toBe(0);
		await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.hold"] === "remote"), "sip.hold to be remote");

		expect(await call.renegotiate({ direction: "sendrecv" })).toBe(200);
		call.tone(440, -20);
		const after = await hear();
		expectTones(after.room, 48_000, [440], [700]);
		expectTones(after.phone, 8_000, [1_000], [440]);
		await until(() => agent.attributeChanges.at(-1)?.changed["sip.hold"] === "", "sip.hold to be empty");
		call.hangup([["Reason", 'Q.850 ;cause=31 ;text="Normal, unspecified"']]);
		await until(() => agent.left.includes(CALLER), "the participant to leave");
		expect(agent.attributeChanges.some(({ changed }) => changed["sip.endReason"] === "Q.850 31 Normal, unspecified")).toBe(true);
		const { timeline, end } = await record(room);
		expect(timeline.map(({ event }) => event)).toEqual(["received", "joined-room", "answered", "held", "resumed", "ended"]);
		expect(end).toMatchObject({ reason: "hangup", message: "Q.850 31 Normal, unspecified" });
	});

	it("a silent one (inactive) is longer than the media timeout of 1 s, and the call lives", async () => {
		const { call, hear } = await talking();
		expect(await call.renegotiate({ direction: "inactive" })).toBe(200);
		await settle(2.5 * SECOND);
		expect(call.state).toBe("answered");
		expect(await call.renegotiate({ direction: "sendrecv" })).toBe(200);
		const after = await hear();
		expectTones(after.room, 48_000, [440], []);
		expectTones(after.phone, 8_000, [1_000], []);
		call.hangup();
	});
});

describe("a re-INVITE of the telephone (RFC 3264 §8)", () => {
	it("to another port and the other law of G.711: both go on hearing each other", async () => {
		const { call, hear } = await talking({ codecs: ["PCMU"] });
		const port = call.rtp.localPort;
		expect(await call.renegotiate({ codecs: ["PCMA"], newPort: true })).toBe(200);
		expect(call.rtp.localPort).not.toBe(port);
		expect(call.negotiated?.codec.name).toBe("PCMA");
		const after = await hear();
		expectTones(after.room, 48_000, [440], []);
		expectTones(after.phone, 8_000, [1_000], []);
		call.hangup();
	});

	it("to the other law while the room speaks: no packet is missing in what the telephone hears, and time goes on evenly", async () => {
		const { call } = await talking({ codecs: ["PCMU"] });
		await settle();
		const packets: { type: number; sequence: number; timestamp: number }[] = [];
		call.onRtp(({ payloadType, sequence, timestamp }) => void packets.push({ type: payloadType, sequence, timestamp }));
		await settle(300);
		expect(await call.renegotiate({ codecs: ["PCMA"] })).toBe(200);
		await settle(300);
		expect(new Set(packets.map(({ type }) => type))).toEqual(new Set([0, 8]));
		const [first] = packets;
		const away = (at: number, from: number, bits: number): number => ((at - from) << (32 - bits)) >> (32 - bits);
		const sorted = packets.map(({ sequence, timestamp }) => ({
			packet: away(sequence, first?.sequence ?? 0, 16),
			time: away(timestamp, first?.timestamp ?? 0, 32),
		}));
		expect(sorted.map(({ packet }) => packet)).toEqual(sorted.map((_, index) => index));
		// 20 ms a packet; one that the room's side was late with may leave out a frame
		const skipped = sorted.map(({ time }, index) => time - index * 160);
		expect(Math.max(...skipped)).toBeLessThanOrEqual(3 * 160);
		call.hangup();
	});

	it("that cannot be answered gets 488 with a Warning, and the old session goes on (RFC 3261 §14.2)", async () => {
		const { call, hear } = await talking();
		const bad = "v=0\r\no=- 1 99 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n";
		const response = await call.ask("INVITE", { body: { contentType: "application/sdp", bytes: new TextEncoder().encode(bad) } });
		expect(response?.status).toBe(488);
		expect(response && header(response, "warning")).toMatch(/^399 trunkline "/);
		const after = await hear();
		expectTones(after.room, 48_000, [440], []);
		expectTones(after.phone, 8_000, [1_000], []);
		call.hangup();
	});
});

describe("session timers (RFC 4028)", () => {
	it("one that is too short is refused with what would do, and is agreed upon then", async () => {
		const { call, hear } = await talking({ sessionTimer: { mode: "always", expiresSeconds: 30, minSeconds: 10 } });
		expect(call.sessionSeconds).toBe(90);
		// A refresh of the telephone's, by UPDATE without SDP, changes nothing that is heard.
		expect((await call.ask("UPDATE"))?.status).toBe(200);
		const after = await hear();
		expectTones(after.room, 48_000, [440], []);
		expectTones(after.phone, 8_000, [1_000], []);
		call.hangup();
	});
});

describe("digits in INFO (RFC 6086)", () => {
	const relay = (digit: string) => ({
		body: { contentType: "application/dtmf-relay", bytes: new TextEncoder().encode(`Signal=${digit}\r\nDuration=160\r\n`) },
	});

	it("reach the room like those in RTP, and those that come both ways come once", async () => {
		const { agent, call } = await talking();
		expect((await call.ask("INFO", relay("5")))?.status).toBe(200);
		expect((await call.ask("INFO", relay("#")))?.status).toBe(200);
		await until(
			() => agent.digits.length === 2,
			() => `two digits: ${JSON.stringify(agent.digits)}`,
		);
		call.sendDtmf("7");
		await until(() => agent.digits.length === 3, "the digit in RTP");
		expect((await call.ask("INFO", relay("7")))?.status).toBe(200);
		expect((await call.ask("INFO", relay("8")))?.status).toBe(200);
		await until(() => agent.digits.length === 4, "the next digit");
		expect(agent.digits.map(({ digit }) => digit).join("")).toBe("5#78");
		expect((await call.ask("INFO"))?.status).toBe(200);
		const unknown = await call.ask("INFO", { headers: [["Info-Package", "x"]] });
		expect(unknown?.status).toBe(469);
		call.hangup();
	});
});

describe("what carriers say of a caller", () => {
	it("Diversion is an attribute, an assertion of a trunk without addresses is not; with Privacy: id no number is", async () => {
		const headers: [string, string][] = [
			["P-Asserted-Identity", "<sip:+15559876@carrier.example>"],
			["Diversion", "<sip:+15550000@pbx.example>;reason=unconditional"],
		];
		const open = await talking({ headers });
		const [one] = (await bed.rooms.listParticipants(open.room)).filter((other) => other.identity === CALLER);
		expect(one?.attributes["sip.diversion"]).toBe("<sip:+15550000@pbx.example>;reason=unconditional");
		expect(one?.attributes["sip.assertedIdentity"]).toBeUndefined();
		open.call.hangup();
		await until(() => open.agent.left.includes(CALLER), "the participant to leave");
		const [number, room] = [`+${++next}`, `room-${next}`];
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111", headers: [...headers, ["Privacy", "id"]] });
		await call.answered();
		const [hidden] = (await bed.rooms.listParticipants(room)).filter((other) => other.identity !== "agent");
		expect(JSON.stringify({ ...hidden?.attributes, identity: hidden?.identity, name: hidden?.name })).not.toMatch(
			/15551111|15559876|15550000/,
		);
		call.hangup();
	});
});
