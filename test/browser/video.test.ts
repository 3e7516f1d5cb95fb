import { TrackSource } from "livekit-server-sdk";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../packages/room-server/src/testing/harness.ts";
import { until } from "../e2e/testbed.ts";
import { launchChromium, PageServer } from "./chromium.ts";
import { RoomPage } from "./room-page.ts";

const browser: Browser | undefined = await launchChromium();
let running: RunningServer;
let server: PageServer;

beforeAll(async () => {
	running = await startServer();
	server = await PageServer.listen();
});
afterAll(async () => {
	await browser?.close();
	await server.close();
	await running.close();
});

const RED = [230, 20, 20] as const;
const BLUE = [20, 20, 230] as const;

/** What is seen is of this colour, as near as video is. */
async function sees(page: RoomPage, of: string, colour: readonly number[]): Promise<void> {
	let last: number[] | undefined;
	await until(
		async () => {
			last = await page.sees(of);
			return last?.every((value, i) => Math.abs(value - (colour[i] ?? 0)) < 50) === true;
		},
		`the page to see ${colour.join()}`,
		15_000,
	).catch((error: unknown) => {
		throw new Error(`saw ${String(last)}`, { cause: error });
	});
}

describe.skipIf(browser === undefined).each([
	["one connection", true],
	["two connections", false],
])("video between two pages, on %s", (name, singlePeerConnection) => {
	const join = (room: string, identity: string) =>
		RoomPage.join(
			browser as Browser,
			server,
			{ url: running.httpUrl, apiKey: "devkey", apiSecret: "secret" },
			`${room} ${name}`,
			identity,
			{
				singlePeerConnection,
			},
		);

	it.each([
		["VP8 in layers", { videoCodec: "vp8", simulcast: true }],
		["VP8", { videoCodec: "vp8", simulcast: false }],
		["VP9", { videoCodec: "vp9", backupCodec: false }],
		["H264", { videoCodec: "h264", simulcast: true }],
		["AV1", { videoCodec: "av1", backupCodec: false }],
		["a screen", { source: "screen_share" }],
	])("%s: the picture and its changes are seen, also by who comes later", async (what, options) => {
		const [anna, bert] = [await join(what, "anna"), await join(what, "bert")];
		const sid = await anna.show(RED, options);
		await sees(bert, "anna", RED);
		await anna.paint(BLUE);
		await sees(bert, "anna", BLUE);
		const carla = await join(what, "carla");
		await sees(carla, "anna", BLUE);
		const [info] = (await running.rooms.getParticipant(`${what} ${name}`, "anna")).tracks;
		expect([info?.sid, info?.mimeType]).toEqual([sid, `video/${/^(VP9|H264|AV1)$/.exec(what)?.[0] ?? "VP8"}`]);
		expect((await bert.video("anna", info?.source === TrackSource.SCREEN_SHARE ? "screen_share" : "camera"))?.codec).toBe(info?.mimeType);
		// one who unsubscribes sees no change, and sees again once subscribed
		await running.rooms.updateSubscriptions(`${what} ${name}`, "carla", [sid], false);
		await anna.paint(RED);
		await sees(bert, "anna", RED);
		expect(await carla.sees("anna")).not.toEqual(await bert.sees("anna"));
		await running.rooms.updateSubscriptions(`${what} ${name}`, "carla", [sid], true);
		await sees(carla, "anna", RED);
		for (const page of [anna, bert, carla]) await page.leave();
	});
});
