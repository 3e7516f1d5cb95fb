import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { launchChromium, PageServer } from "./chromium.ts";
import { RoomPage } from "./room-page.ts";

const browser: Browser | undefined = await launchChromium();
let bed: Testbed;
let server: PageServer;

beforeAll(async () => {
	bed = await Testbed.start();
	server = await PageServer.listen();
});
afterEach(() => bed.clear());
afterAll(async () => {
	await browser?.close();
	await server.close();
	await bed.close();
});

describe.skipIf(browser === undefined)("a page in Chromium with LiveKit's own client", () => {
	const join = (room: string, identity: string) => RoomPage.join(browser as Browser, server, bed.access, room, identity);

	it("and a telephone hear each other's tones, and digits go both ways", async () => {
		await bed.inbound("+15550301", "browser");
		const page = await join("browser", "anna");
		await page.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri("+15550301"), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(async () => (await page.hears()).includes("sip_+15551111"), "the page to hear the telephone");
		await settle(1_500);
		call.received.clear();
		await settle(1_500);
		const heard = await page.strongest("sip_+15551111");
		expect(heard.hz).toBeGreaterThan(435);
		expect(heard.hz).toBeLessThan(445);
		expectTones(call.received.pcm(), 8_000, [1_000], [440, 600]);

		call.sendDtmf("12#");
		await until(async () => (await page.state()).digits.length === 3, "the page to have three digits");
		expect((await page.state()).digits).toEqual(["1", "2", "#"].map((digit) => ({ digit, from: "sip_+15551111" })));
		await page.page.evaluate(() => globalThis.trunkline.room.localParticipant.publishDtmf(9, "9"));
		await until(() => call.digits === "9", "the telephone to have the digit");
		call.hangup();
		await until(async () => (await page.state()).left.includes("sip_+15551111"), "the page to see the telephone leave");
		expect((await page.state()).attributes["sip_+15551111"]?.["sip.callStatus"]).toBe("hangup");
		await page.leave();
	});

	it("two pages hear each other", async () => {
		const anna = await join("pages", "anna");
		const bert = await join("pages", "bert");
		await anna.speak(700);
		await bert.speak(1_100);
		await until(async () => (await anna.hears()).includes("bert") && (await bert.hears()).includes("anna"), "the pages to hear each other");
		await settle(1_500);
		expect(Math.round((await anna.strongest("bert")).hz / 10)).toBe(110);
		expect(Math.round((await bert.strongest("anna")).hz / 10)).toBe(70);
		await anna.leave();
		await bert.leave();
	});
});
