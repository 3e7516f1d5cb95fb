import { createSocket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { measureTone } from "@trunkline/audio";
import { newCrypto, type PhoneCall, type PhoneSrtp } from "@trunkline/phone";
import { writeRtp } from "@trunkline/rtp";
import { AccessToken, type CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_256_GCM"] as const;
/** of SIPMediaEncryption */
const [ALLOW, REQUIRE] = [1, 2] as const;
type Encryption = typeof ALLOW | typeof REQUIRE;
type Media = NonNullable<CreateSipInboundTrunkOptions["media"]>;
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
const place = () => ({ number: `+${++next}`, room: `room-${next}` });

async function inbound(encryption: Encryption | undefined): Promise<{ number: string; room: string }> {
	const { number, room } = place();
	const trunk = await bed.sip.createSipInboundTrunk(
		`trunk ${number}`,
		[number],
		encryption === undefined ? {} : { mediaEncryption: encryption },
	);
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
	return { number, room };
}

async function record(
	callId: string,
): Promise<{ media?: { codec: string; srtp?: string; packets?: Record<string, number> }; end?: { reason: string; message: string } }> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${bed.local.url}/v1/calls/${callId}`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
	if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
	return (await response.json()) as Awaited<ReturnType<typeof record>>;
}

/** An agent that says 1000 Hz and a telephone that says 440 Hz, in the room of a new number. */
async function talking(encryption: Encryption, srtp: PhoneSrtp | undefined) {
	const { number, room } = await inbound(encryption);
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone(srtp && { srtp });
	const call = await phone.call(bed.uri(number), { from: "+15551111" });
	call.tone(440, -20);
	const negotiated = await call.answered();
	return { agent, call, negotiated, room };
}

async function expectBothHear(
	agent: Awaited<ReturnType<Testbed["participant"]>>,
	call: PhoneCall,
	identity = "sip_+15551111",
): Promise<void> {
	await until(() => agent.heardFrom().includes(identity), "the participant to hear the telephone");
	await settle();
	agent.take(identity);
	call.received.clear();
	await settle(1_500);
	expectTones(agent.take(identity), 48_000, [440], [1_000]);
	expectTones(call.received.pcm(), 8_000, [1_000], [440]);
}

describe("an inbound call with SRTP", () => {
	it.each(SUITES)("%s: telephone and participant hear each other's tones", async (suite) => {
		const { agent, call, negotiated, room } = await talking(REQUIRE, { suites: [suite] });
		expect(negotiated.srtp?.suite).toBe(suite);
		await expectBothHear(agent, call);
		expect(call.stats().srtpErrors).toBe(0);
		const [participant] = (await bed.rooms.listParticipants(room)).filter(({ identity }) => identity === "sip_+15551111");
		expect((await record(participant?.attributes["sip.callID"] ?? "")).media).toEqual({ codec: "PCMU", srtp: suite, keysInTheClear: true });
		call.hangup();
		const callId = participant?.attributes["sip.callID"] ?? "";
		await until(async () => (await record(callId)).end !== undefined, "the call to end");
		// decrypted = received
		expect((await record(callId)).media?.packets).toMatchObject({
			refused: 0,
			srtpErrors: 0,
			received: expect.closeTo(call.stats().packetsSent, -1),
		});
	});

	it("allowed: plain stays plain, encrypted is encrypted", async () => {
		expect((await talking(ALLOW, undefined)).negotiated.srtp).toBeUndefined();
		expect((await talking(ALLOW, {})).negotiated.srtp?.suite).toBe("AES_CM_128_HMAC_SHA1_80");
	});

	it("required, and the telephone has none: 488, never in the clear", async () => {
		const { number } = await inbound(REQUIRE);
		const call = await (await bed.phone()).call(bed.uri(number));
		expect(await call.ended()).toMatchObject({ answered: false, status: 488 });
	});

	it("disabled, and the telephone insists: 488", async () => {
		const { number } = await inbound(undefined);
		const call = await (await bed.phone({ srtp: {} })).call(bed.uri(number));
		expect(await call.ended()).toMatchObject({ answered: false, status: 488 });
	});

	it("audio under another key than the SDP's is not heard, and latches nothing", async () => {
		const { agent, call } = await talking(ALLOW, { wrongKey: true });
		await settle(1_500);
		expect(agent.heardFrom().includes("sip_+15551111") ? loudest(agent.take("sip_+15551111")) : -127).toBeLessThan(-60);
		// what we send still reaches the telephone: its address is the SDP's
		expectTones(call.received.pcm().slice(-8_000), 8_000, [1_000], [440]);
		call.hangup();
	});

	it("a spray of packets from elsewhere, plain or encrypted: none is heard, and none is answered", async () => {
		const { agent, call } = await talking(REQUIRE, {});
		await expectBothHear(agent, call);
		const target = call.rtp.remote;
		if (target === undefined) throw new Error("no media");
		const stranger = createSocket("udp4");
		let answered = 0;
		stranger.on("message", () => (answered += 1));
		await new Promise<void>((resolve) => stranger.bind(0, "127.0.0.1", resolve));
		agent.take("sip_+15551111");
		call.received.clear();
		for (let i = 0; i < 300; i++) {
			const payload = i % 2 === 0 ? randomBytes(160) : randomBytes(170);
			stranger.send(writeRtp({ payloadType: 0, sequence: i, timestamp: i * 160, ssrc: 99 }, payload), target.port, target.address);
			if (i % 10 === 0) await settle(20);
		}
		await settle(500);
		stranger.close();
		expect(answered).toBe(0);
		expectTones(agent.take("sip_+15551111"), 48_000, [440], [1_000, 2_300]);
		expectTones(call.received.pcm(), 8_000, [1_000], [440]);
		call.hangup();
	});

	it("new keys in a re-INVITE: both go on hearing each other", async () => {
		const { agent, call } = await talking(REQUIRE, {});
		const first = call.negotiated?.srtp;
		expect(await call.reoffer(newCrypto({}))).toBe(200);
		expect(call.negotiated?.srtp?.send).not.toEqual(first?.send);
		expect(call.negotiated?.srtp?.receive).not.toEqual(first?.receive);
		await expectBothHear(agent, call);
		expect(call.stats().srtpErrors).toBeLessThan(10);
		call.hangup();
	});

	it.each([
		["allowed", ALLOW],
		["required", REQUIRE],
	] as const)("%s: a re-INVITE that would take the encryption away gets 488, and the call goes on encrypted", async (_name, encryption) => {
		const { agent, call } = await talking(encryption, {});
		const first = call.negotiated?.srtp;
		expect(await call.reoffer(undefined)).toBe(488);
		expect(call.negotiated?.srtp).toEqual(first);
		await expectBothHear(agent, call);
		call.hangup();
	});
});

describe("codecs of a trunk", () => {
	it("G.722 where the trunk lists it, though the telephone would rather have PCMU; both hear each other, encrypted", async () => {
		const { number, room } = place();
		const media = { encryption: REQUIRE, codecs: [{ name: "G722", rate: 8_000 }] } as Media;
		const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { media });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone({ srtp: {}, codecs: ["PCMU", "G722"] });
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		expect((await call.answered()).codec.name).toBe("G722");
		await expectBothHear(agent, call);
		call.hangup();
	});
});

describe("an outbound call with SRTP", () => {
	async function dial(encryption: Encryption, srtp: PhoneSrtp | undefined) {
		const { room } = place();
		const phone = await bed.phone(srtp && { srtp });
		const called: PhoneCall[] = [];
		phone.onIncoming((call) => {
			called.push(call);
			call.tone(440, -20);
			void call.answer().catch(() => {});
		});
		const trunk = await bed.sip.createSipOutboundTrunk("out", `127.0.0.1:${phone.port}`, ["+15550100"], {
			transport: 0,
			mediaEncryption: encryption,
		});
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const dialled = bed.sip.createSipParticipant(trunk.sipTrunkId, "+15552222", room, {
			participantIdentity: "callee",
			waitUntilAnswered: true,
			...(encryption === REQUIRE ? { media: { encryption: REQUIRE } as Media } : {}),
		});
		return { agent, called, dialled };
	}

	it.each([
		["allowed", ALLOW],
		["required", REQUIRE],
	] as const)("%s: the telephone takes it, both hear each other", async (_name, encryption) => {
		const { agent, called, dialled } = await dial(encryption, { required: encryption === REQUIRE });
		const { sipCallId } = await dialled;
		const [call] = called;
		if (call === undefined) throw new Error("no call");
		expect(call.negotiated?.srtp?.suite).toBe("AES_CM_128_HMAC_SHA1_80");
		await expectBothHear(agent, call, "callee");
		expect((await record(sipCallId)).media).toEqual({ codec: "PCMU", srtp: "AES_CM_128_HMAC_SHA1_80", keysInTheClear: true });
		call.hangup();
	});

	it("required, and the telephone has none: the API says so, and no audio was in the clear", async () => {
		const { called, dialled } = await dial(REQUIRE, undefined);
		await expect(dialled).rejects.toThrow(/488/);
		expect(called[0]?.stats()).toMatchObject({ packetsReceived: 0 });
	});
});

function loudest(pcm: Int16Array): number {
	return measureTone(pcm, 48_000, 440).levelDb;
}
