import { TrackType } from "@livekit/protocol";
import type { Room } from "livekit-client";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Session } from "../../packages/room-server/src/session/session.ts";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { launchChromium, PageServer } from "./chromium.ts";
import { RoomPage, type VideoReceived } from "./room-page.ts";

const browser: Browser | undefined = await launchChromium();
let bed: Testbed;
let server: PageServer;

beforeAll(async () => {
	bed = await Testbed.start();
	server = await PageServer.listen();
});
afterEach(async () => {
	vi.restoreAllMocks();
	await bed.clear();
});
afterAll(async () => {
	await browser?.close();
	await server.close();
	await bed.close();
});

const CALLER = "sip_+15551111";

/** Waits until so many more pictures have been decoded; gives the counts. */
async function flows(page: RoomPage, of: string, source = "camera", frames = 20): Promise<VideoReceived> {
	let first: number | undefined;
	let last: VideoReceived | undefined;
	await until(
		async () => {
			last = await page.video(of, source);
			first ??= last?.framesDecoded;
			return last !== undefined && first !== undefined && last.framesDecoded >= first + frames;
		},
		() => `${frames} pictures of ${of}'s ${source}: ${JSON.stringify(last)}`,
	);
	return last as VideoReceived;
}

describe.skipIf(browser === undefined)("a telephone among pages with cameras", () => {
	const join = (identity: string, options: Record<string, unknown>) =>
		RoomPage.join(browser as Browser, server, bed.access, "cameras", identity, options);

	it("hears both pages at once and is heard by both, has no part in their video, and answers their RPC", async () => {
		/** what the room server was asked to forward: to whom, whose, what */
		const forwarded: { to: string; of: string; type: TrackType }[] = [];
		const subscribe = Session.prototype.subscribe;
		vi.spyOn(Session.prototype, "subscribe").mockImplementation(function (this: Session, track) {
			forwarded.push({ to: this.participant.identity, of: track.publisher.identity, type: track.info.type });
			subscribe.call(this, track);
		});
		await bed.inbound("+15550311", "cameras");
		// what applications switch on: only what is seen is sent, and only as large
		const anna = await join("anna", { adaptiveStream: true, dynacast: true });
		const bert = await join("bert", { singlePeerConnection: false });
		for (const page of [anna, bert])
			await page.run(
				async ({ localParticipant: me }) => void (await me.setCameraEnabled(true, { resolution: { width: 640, height: 480 } })),
			);
		await anna.speak(700);
		await bert.speak(1_100);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri("+15550311"), { from: "+15551111", headers: [["X-Customer", "17"]] });
		call.tone(440, -20);
		await call.answered();
		await flows(anna, "bert");
		for (const page of [anna, bert]) await until(async () => (await page.hears()).includes(CALLER), "the page to hear the telephone");

		await settle();
		call.received.clear();
		await settle(1_500);
		// the tones of pages have an amplitude of a tenth: −23 dBov
		expectTones(call.received.pcm(), 8_000, [700, 1_100], [440, 900], -23);
		for (const page of [anna, bert]) {
			const { hz } = await page.strongest(CALLER);
			expect(hz).toBeGreaterThan(435);
			expect(hz).toBeLessThan(445);
		}
		// the best of the layers, which a browser on a busy machine makes smaller by itself
		for (const [page, of] of [
			[anna, "bert"],
			[bert, "anna"],
		] as const) {
			const { codec, frameWidth, frameHeight } = await flows(page, of);
			expect([codec, frameWidth / frameHeight]).toEqual(["video/VP8", 4 / 3]);
			expect(frameWidth).toBeGreaterThan(320);
		}

		await bert.run(async ({ localParticipant: me }) => void (await me.setScreenShareEnabled(true)));
		await flows(anna, "bert", "screen_share", 3);
		expect((await anna.state()).video).toEqual(
			expect.arrayContaining([
				{ from: "bert", source: "camera" },
				{ from: "bert", source: "screen_share" },
			]),
		);
		await flows(anna, "bert");
		const toTelephone = forwarded.filter(({ to }) => to === CALLER);
		expect(toTelephone.map(({ of, type }) => [of, TrackType[type]]).sort()).toEqual([
			["anna", "AUDIO"],
			["bert", "AUDIO"],
		]);
		expect(forwarded.filter(({ to, type }) => to === "anna" && type === TrackType.VIDEO)).toHaveLength(2);

		const about = (room: Room): { kind: number; name: string; attributes: Record<string, string> } => {
			const caller = room.remoteParticipants.get("sip_+15551111");
			return { kind: caller?.kind ?? -1, name: caller?.name ?? "", attributes: { ...caller?.attributes } };
		};
		const { kind, attributes } = await anna.run(about);
		expect(kind).toBe(3);
		expect(attributes).toMatchObject({
			"sip.callStatus": "active",
			"sip.phoneNumber": "+15551111",
			"sip.trunkPhoneNumber": "+15550311",
			"sip.callID": expect.stringMatching(/^SCL_/),
			"sip.trunkID": expect.stringMatching(/^ST_/),
			"sip.ruleID": expect.stringMatching(/^SDR_/),
		});

		const ask = (method: string, payload: string): Promise<string> =>
			anna.run(
				(room, given) =>
					room.localParticipant.performRpc(given).catch((error: { code: number; message: string }) => `${error.code} ${error.message}`),
				{ destinationIdentity: CALLER, method, payload },
			);
		expect(JSON.parse(await ask("lk.sip.GetRemoteHeaders", '{"include":["X-Customer"]}'))).toEqual({ headers: { "X-Customer": "17" } });
		expect(await ask("lk.sip.Nothing", "")).toMatch(/^1400 /);
		expect(await ask("lk.sip.EndCall", '{"headers":{"X-Outcome":"sold"}}')).toBe("{}");
		expect(await call.ended()).toMatchObject({ answered: true, by: "remote" });
		await bert.told(`participantDisconnected ${CALLER}`);
		expect((await bert.state()).attributes[CALLER]?.["sip.callStatus"]).toBe("hangup");
		for (const page of [anna, bert]) await page.leave();
	});
});
