import { createSocket } from "node:dgram";
import { measureTone } from "@trunkline/audio";
import { newCrypto, type PhoneCall, type PhoneSrtp } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

/** of SIPMediaEncryption */
const REQUIRE = 2;
let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_551_700;
const place = () => ({ number: `+${++next}`, room: `room-${next}` });

async function api(path: string, body?: unknown): Promise<{ media?: { srtp?: string }; end?: { reason: string; message: string } }> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const request = body === undefined ? { headers } : { headers, method: "PUT", body: JSON.stringify(body) };
	const response = await fetch(`${bed.local.url}${path}`, request);
	if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
	return (await response.json()) as Awaited<ReturnType<typeof api>>;
}

/** An agent that says 1000 Hz and a telephone that says 440 Hz, in the room of a new number. */
async function talking(srtp: PhoneSrtp) {
	const { number, room } = place();
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { mediaEncryption: REQUIRE });
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone({ srtp });
	const call = await phone.call(bed.uri(number), { from: "+15551111" });
	call.tone(440, -20);
	const negotiated = await call.answered();
	const [participant] = (await bed.rooms.listParticipants(room)).filter(({ identity }) => identity === "sip_+15551111");
	return { agent, call, negotiated, callId: participant?.attributes["sip.callID"] ?? "" };
}

async function expectBothHear(agent: Awaited<ReturnType<Testbed["participant"]>>, call: PhoneCall, identity = "sip_+15551111") {
	await until(() => agent.heardFrom().includes(identity), "the participant to hear the telephone");
	await settle();
	agent.take(identity);
	call.received.clear();
	await settle(1_500);
	expectTones(agent.take(identity), 48_000, [440], [1_000]);
	expectTones(call.received.pcm(), 8_000, [1_000], [440]);
}

describe("an inbound call with DTLS-SRTP", () => {
	it("telephone and participant hear each other, a spray of packets changes nothing, and the record names the suite", async () => {
		const { agent, call, negotiated, callId } = await talking({ dtls: true });
		expect(negotiated.dtls?.role).toBe("client");
		await expectBothHear(agent, call);
		expect((await api(`/v1/calls/${callId}`)).media).toMatchObject({ srtp: "DTLS-SRTP AEAD_AES_128_GCM" });
		const target = call.rtp.remote;
		if (target === undefined) throw new Error("no media");
		const stranger = createSocket("udp4");
		let answered = 0;
		stranger.on("message", () => (answered += 1));
		// STUN, a ClientHello and RTP of nobody
		for (const first of [0, 22, 128])
			for (let i = 0; i < 50; i++)
				stranger.send(
					Uint8Array.from({ length: 172 }, (_, at) => (at === 0 ? first : at)),
					target.port,
					target.address,
				);
		await expectBothHear(agent, call);
		stranger.close();
		expect(answered).toBe(0);
		expect(call.stats().srtpErrors).toBe(0);
		call.hangup();
	});

	it("keys in the SDP in a re-INVITE are encryption, too; none is 488", async () => {
		const { agent, call } = await talking({ dtls: true });
		await expectBothHear(agent, call);
		call.dtls = undefined;
		expect(await call.reoffer(undefined)).toBe(488);
		expect(await call.reoffer(newCrypto({}))).toBe(200);
		await expectBothHear(agent, call);
		call.hangup();
	});

	it("another certificate than the SDP's: no audio, and the call ends in words", async () => {
		const { agent, call, callId } = await talking({ dtls: true, wrongFingerprint: true });
		await call.ended();
		// the room may have heard silence
		if (agent.heardFrom().includes("sip_+15551111"))
			expect(measureTone(agent.take("sip_+15551111"), 48_000, 440).levelDb).toBeLessThan(-60);
		expect(call.received.pcm()).toHaveLength(0);
		await until(async () => (await api(`/v1/calls/${callId}`)).end !== undefined, "the call to end");
		expect((await api(`/v1/calls/${callId}`)).end).toMatchObject({
			reason: "media-mismatch",
			message: expect.stringContaining("its certificate is not the one that the SDP announced"),
		});
	});
});

it.each(["dtls", "either"] as const)("an outbound call of a trunk with keying %s", async (keying) => {
	const { room } = place();
	const phone = await bed.phone({ srtp: keying === "dtls" ? { dtls: true } : {} });
	const called: PhoneCall[] = [];
	phone.onIncoming((call) => {
		called.push(call);
		call.tone(440, -20);
		void call.answer().catch(() => {});
	});
	const trunk = await bed.sip.createSipOutboundTrunk("out", `127.0.0.1:${phone.port}`, ["+15550100"], {
		transport: 0,
		mediaEncryption: REQUIRE,
	});
	await api(`/v1/trunks/${trunk.sipTrunkId}/settings`, { srtp: { keying } });
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	await bed.sip.createSipParticipant(trunk.sipTrunkId, "+15552222", room, { participantIdentity: "b", waitUntilAnswered: true });
	const [call] = called;
	if (call === undefined) throw new Error("nobody was called");
	expect(call.negotiated?.dtls === undefined).toBe(keying === "either");
	await expectBothHear(agent, call, "b");
	call.hangup();
});
