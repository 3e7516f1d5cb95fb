import { describe, expect, it } from "vitest";
import { BackToBack } from "./back-to-back.ts";
import type { EncodedFrame, RoomConnector, RoomEvent, RoomSession } from "./ports.ts";

async function joined(connector: RoomConnector) {
	const events: RoomEvent[] = [];
	const heard: EncodedFrame[] = [];
	const session: RoomSession = await connector.join({
		url: "",
		token: "",
		publishCodecs: ["PCMU"],
		trackName: "",
		onEvent: (event) => {
			events.push(event);
			if (event.type === "track-subscribed") event.track.onFrame((frame) => heard.push({ ...frame }));
		},
	});
	return { session, events, heard };
}

const frame = (codec: "PCMU" | "PCMA", sequence: number): EncodedFrame => ({
	codec,
	payload: Uint8Array.of(sequence),
	timestamp: sequence * 160,
	sequence,
	marker: false,
});

describe("two telephones, back to back", () => {
	it("each hears the other, packet by packet and law by law as it came", async () => {
		const pair = new BackToBack();
		const first = await joined(pair.first);
		const second = await joined(pair.second);
		expect(first.session.uplink.takesG711).toBe(true);
		first.session.uplink.write(frame("PCMU", 1), 20);
		second.session.uplink.write(frame("PCMA", 2), 20);
		expect(second.heard).toEqual([frame("PCMU", 1)]);
		expect(first.heard).toEqual([frame("PCMA", 2)]);
	});

	it("digits go through", async () => {
		const pair = new BackToBack();
		const first = await joined(pair.first);
		const second = await joined(pair.second);
		first.session.sendDtmf(11, "#");
		expect(second.events.at(-1)).toEqual({ type: "dtmf", digits: "#", participantIdentity: "" });
		expect(first.events.map(({ type }) => type)).toEqual(["track-subscribed"]);
	});

	it("when one goes the other is told, once, and nothing comes after it", async () => {
		const pair = new BackToBack();
		const first = await joined(pair.first);
		const second = await joined(pair.second);
		await first.session.close();
		await first.session.close();
		second.session.sendDtmf(1, "1");
		second.session.uplink.write(frame("PCMU", 1), 20);
		await second.session.close();
		expect(second.events.map(({ type }) => type)).toEqual(["track-subscribed", "closed"]);
		expect(second.events.at(-1)).toMatchObject({ reason: "other-leg" });
		expect(first.events.map(({ type }) => type)).toEqual(["track-subscribed"]);
		expect(first.heard).toEqual([]);
	});

	it("the second cannot join when the first has gone: nothing is dialled then", async () => {
		const pair = new BackToBack();
		const first = await joined(pair.first);
		await first.session.close();
		await expect(joined(pair.second)).rejects.toMatchObject({ name: "RoomJoinError", closeReason: "other-leg" });
	});
});
