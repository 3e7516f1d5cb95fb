import { LiveKitRoomConnector } from "../../media-node/src/room/livekit-room-connector.ts";
import { AccessToken, type CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

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

let next = 15_559_100;

/** A number whose trunk would rather have Opus than anything else. */
async function numberOfOpus(): Promise<{ number: string; room: string }> {
	const number = `+${++next}`;
	const room = `room-${next}`;
	const media = { codecs: [{ name: "opus", rate: 48_000 }] } as unknown as NonNullable<CreateSipInboundTrunkOptions["media"]>;
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { media });
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
	return { number, room };
}

/** Somebody in the room who sees each packet as it comes from the server. */
async function observer(room: string): Promise<{ packets: Map<string, { codec: string; hex: string }[]>; close(): Promise<void> }> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { identity: "observer", ttl: 600 });
	token.addGrant({ roomJoin: true, room, canPublish: true, canSubscribe: true });
	const packets = new Map<string, { codec: string; hex: string }[]>();
	const session = await new LiveKitRoomConnector().join({
		url: bed.access.url,
		token: await token.toJwt(),
		publishCodecs: ["opus"],
		trackName: "nothing",
		onEvent: (event) => {
			if (event.type !== "track-subscribed") return;
			const seen: { codec: string; hex: string }[] = [];
			packets.set(event.track.participantIdentity, seen);
			event.track.onFrame(({ codec, payload }) => seen.push({ codec, hex: Buffer.from(payload).toString("hex") }));
		},
	});
	return { packets, close: () => session.close() };
}

/** RFC 6716 §3.1: 8 to 11 are wide band speech, as a telephone of ours makes it. */
const configuration = (hex: string): number => Number.parseInt(hex.slice(0, 2), 16) >> 3;

/**
 * Silence of our own where a participant on a busy machine sends nothing for 100 ms (a frame of digital silence, as our encoder makes them in sequence:
 * some eight bytes of wide band). A second of tone at 48 kHz is never so short.
 */
const isFilling = (hex: string): boolean => hex.length / 2 <= 12 && configuration(hex) >= 8 && configuration(hex) <= 11;

describe("a telephone that speaks Opus, and a trunk that prefers it", () => {
	it("both hear each other, and not a byte is changed on the way", async () => {
		const { number, room } = await numberOfOpus();
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const watching = await observer(room);
		try {
			const phone = await bed.phone();
			const call = await phone.call(bed.uri(number), { from: "+15551111", codecs: ["PCMU", "opus"] });
			call.tone(440, -20);
			const atPhone: string[] = [];
			call.onRtp(({ payloadType, payload }) => {
				if (payloadType === 111) atPhone.push(Buffer.from(payload).toString("hex"));
			});
			const negotiated = await call.answered();
			expect(negotiated.codec).toEqual({ name: "opus", payloadType: 111, receivePayloadType: 111, clockRate: 48_000 });
			await until(() => agent.heardFrom().includes(CALLER), "the participant to hear the telephone");
			await until(() => (watching.packets.get(CALLER)?.length ?? 0) > 0, "the observer to hear the telephone");
			await settle();
			agent.take(CALLER);
			call.received.clear();
			atPhone.length = 0;
			await settle(1_500);
			expectTones(agent.take(CALLER), 48_000, [440], [1_000]);
			expectTones(call.received.pcm(), 8_000, [1_000], [440]);
			await until(() => atPhone.length > 60, "the telephone to hear more than a second");
			const heard = [...atPhone];
			// The telephone may have had the last packets before the observer did.
			const changed = (): string[] => {
				const sent = new Set(watching.packets.get("agent")?.map(({ hex }) => hex));
				return heard.filter((hex) => !sent.has(hex) && !isFilling(hex));
			};
			await until(
				() => changed().length === 0,
				() => `the observer to have seen what the telephone heard; only there: ${changed().join(" ")}`,
			);
			expect(heard.filter(isFilling).length, "silence between what was said").toBeLessThan(heard.length / 4);
			const ofPhone = watching.packets.get(CALLER) ?? [];
			expect(new Set(ofPhone.map(({ codec }) => codec))).toEqual(new Set(["opus"]));
			const [least, most] = [Math.min, Math.max].map((of) => of(...ofPhone.slice(-60).map(({ hex }) => configuration(hex))));
			expect(least).toBeGreaterThanOrEqual(8);
			expect(most).toBeLessThanOrEqual(11);
			call.sendDtmf("7");
			await until(() => agent.digits.length > 0, "the digit");
			expect(agent.digits).toEqual([{ digit: "7", from: CALLER }]);
			call.hangup();
		} finally {
			await watching.close();
		}
	});

	it("a telephone without it gets what both have", async () => {
		const { number, room } = await numberOfOpus();
		await (await bed.participant(room, "agent")).speak(1_000);
		const call = await (await bed.phone()).call(bed.uri(number), { codecs: ["PCMA"] });
		expect((await call.answered()).codec.name).toBe("PCMA");
		call.hangup();
	});
});
