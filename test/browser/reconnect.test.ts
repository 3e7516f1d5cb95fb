import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../../packages/room-server/src/testing/harness.ts";
import { until } from "../e2e/testbed.ts";
import { settle } from "../e2e/tones.ts";
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

describe.skipIf(browser === undefined).each([
	["one connection", true],
	["two connections", false],
])("LiveKit's client in a page, on %s", (name, singlePeerConnection) => {
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
	const hz = async (page: RoomPage, of: string): Promise<number> => Math.round((await page.strongest(of)).hz / 10) * 10;

	it.each([
		["its WebSocket is cut", false, (page: RoomPage) => page.cut()],
		["it loses its signalling", false, (page: RoomPage) => page.simulate("signal-reconnect")],
		["it joins anew", true, (page: RoomPage) => page.simulate("full-reconnect")],
	])("hears and is heard after %s", async (what, leaves, fail) => {
		const [anna, bert] = [await join(what, "anna"), await join(what, "bert")];
		await anna.speak(700);
		await bert.speak(1_100);
		await until(async () => (await anna.hears()).includes("bert") && (await bert.hears()).includes("anna"), "the pages to hear each other");
		await fail(anna);
		await until(async () => (await anna.state()).reconnects === 1, "the page to be back", 20_000);
		await settle(2_500);
		expect(await hz(anna, "bert")).toBe(1_100);
		expect(await hz(bert, "anna")).toBe(700);
		expect((await bert.state()).left).toEqual(leaves ? ["anna"] : []);
		// what came while it was away is there, too
		const carla = await join(what, "carla");
		await carla.speak(1_500);
		await until(async () => (await anna.hears()).includes("carla"), "the page to hear who came later");
		await settle(1_500);
		expect(await hz(anna, "carla")).toBe(1_500);
		for (const page of [anna, bert, carla]) await page.leave();
	});
});
