import { RoomEvent } from "@livekit/rtc-node";
import type { CallDetails } from "@trunkline/contracts";
import { AccessToken, type CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

async function details(callId: string): Promise<CallDetails> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${bed.local.url}/v1/calls/${callId}`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
	return (await response.json()) as CallDetails;
}

describe("levels and health", () => {
	// G.711 goes through as it is, G.722 becomes Opus: the level is in the header of both.
	it.each(["PCMU", "G722"] as const)("%s: the room is told when the telephone speaks and when it does not", async (codec) => {
		const number = codec === "PCMU" ? "+15550701" : "+15550702";
		const room = `speakers-${codec}`;
		const media = { codecs: [{ name: codec, rate: 8_000 }] } as NonNullable<CreateSipInboundTrunkOptions["media"]>;
		const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { media });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
		const agent = await bed.participant(room, "agent");
		const speakers: string[][] = [];
		agent.room.on(RoomEvent.ActiveSpeakersChanged, (all: readonly { identity: string }[]) => {
			speakers.push(all.map(({ identity }) => identity));
		});
		await agent.speak(1_000, -90);
		const phone = await bed.phone({ codecs: [codec] });
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		expect((await call.answered()).codec.name).toBe(codec);
		call.tone(440, -20);
		await until(() => speakers.at(-1)?.includes("sip_+15551111") === true, "the telephone to be an active speaker");
		call.silence();
		await until(() => speakers.at(-1)?.length === 0, "nobody to be an active speaker");
		call.hangup();
	});

	it("the call's record says how each direction is while the call goes on, and how it was", async () => {
		const number = "+15550703";
		await bed.inbound(number, "quality");
		const agent = await bed.participant("quality", "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		const [participant] = (await bed.rooms.listParticipants("quality")).filter(({ identity }) => identity === "sip_+15551111");
		const callId = participant?.attributes["sip.callID"] ?? "";
		let live: CallDetails | undefined;
		await until(async () => (live = await details(callId)).media?.quality !== undefined, "the quality of a call that goes on");
		expect(live).toMatchObject({ state: "active", media: { codec: "PCMU" } });
		const { uplink, downlink } = live?.media?.quality ?? {};
		expect(uplink).toMatchObject({ lost: 0, level: 20, mos: expect.closeTo(4.35, 0) });
		expect(uplink?.scores).toEqual({
			...{ everyMs: 5_000, mos: [expect.closeTo(4.35, 0)], lossPercent: [0], levelDbov: [-20] },
		});
		// On a busy machine some of the room's audio comes late, and is made up.
		expect(downlink?.scores).toEqual({
			...{ everyMs: 5_000, mos: [expect.any(Number)], lossPercent: [expect.any(Number)], levelDbov: [expect.closeTo(-20, -0.5)] },
		});
		call.hangup();
		await until(async () => (await details(callId)).end !== undefined, "the call to end");
		const { media, timeline } = await details(callId);
		expect(timeline, "no entry for it").toEqual(live?.timeline.concat(timeline.slice(-1)));
		const perfect = { lost: 0, duplicates: 0, mos: expect.closeTo(4.35, 0), scores: uplink?.scores };
		expect(media?.quality).toMatchObject({
			uplink: { ...perfect, late: 0, concealed: 0, level: 20, packets: media?.packets?.received },
			downlink: { lost: 0, duplicates: 0, level: expect.closeTo(20, -0.5), packets: media?.packets?.sent },
		});
	});
});
