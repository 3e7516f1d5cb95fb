import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type RunningServer, startServer } from "../../packages/room-server/src/testing/harness.ts";
import { UdpEndpoint } from "../../packages/room-server/src/transport/udp-endpoint.ts";
import { until } from "../e2e/testbed.ts";
import { launchChromium, PageServer } from "./chromium.ts";
import { RoomPage, type VideoReceived } from "./room-page.ts";

const browser: Browser | undefined = await launchChromium();
let running: RunningServer;
let server: PageServer;

beforeAll(async () => {
	running = await startServer();
	server = await PageServer.listen();
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
	await browser?.close();
	await server.close();
	await running.close();
});

/** Every packet of RTP that the room server sends goes past this, which says which ones get lost on their way. */
function onTheWay(isLost: (ssrc: number, sequence: number) => boolean): void {
	const send = UdpEndpoint.prototype.send;
	vi.spyOn(UdpEndpoint.prototype, "send").mockImplementation(function (this: UdpEndpoint, packet, port, address) {
		const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.length);
		const first = bytes[0] ?? 0;
		const second = bytes[1] ?? 0;
		// RFC 7983 §7, RFC 5761 §4: RTP, not DTLS, STUN or RTCP
		const isRtp = first >= 128 && first <= 191 && (second < 192 || second > 223) && bytes.length >= 12;
		if (!isRtp || !isLost(bytes.readUInt32BE(8), bytes.readUInt16BE(2))) send.call(this, packet, port, address);
	});
}

const RED = [230, 20, 20] as const;
const BLUE = [20, 20, 230] as const;
const near = (seen: readonly number[] | undefined, colour: readonly number[]): boolean =>
	seen?.every((value, i) => Math.abs(value - (colour[i] ?? 0)) < 50) === true;

describe.skipIf(browser === undefined).each([
	["one connection", true],
	["two connections", false],
])("video on a network that loses packets, on %s", (name, singlePeerConnection) => {
	let anna: RoomPage;
	let bert: RoomPage;
	const counts = async (): Promise<VideoReceived> => (await bert.video("anna")) as VideoReceived;

	beforeAll(async () => {
		const join = (identity: string) =>
			RoomPage.join(browser as Browser, server, { url: running.httpUrl, apiKey: "devkey", apiSecret: "secret" }, name, identity, {
				singlePeerConnection,
			});
		[anna, bert] = [await join("anna"), await join("bert")];
		await anna.show(RED, { videoCodec: "vp8", simulcast: false });
		await until(async () => near(await bert.sees("anna"), RED), "the picture to be seen");
		// a publisher begins with more than one key frame
		await until(async () => (await counts()).framesDecoded > 20, "the picture to be steady");
	});
	afterAll(async () => {
		for (const page of [anna, bert]) await page.leave();
	});

	it("one packet in ten: those are sent again, once asked for, and the picture goes on without a new beginning", async () => {
		const sent = new Map<string, number>();
		let lost = 0;
		const before = await counts();
		onTheWay((ssrc, sequence) => {
			const key = `${ssrc} ${sequence}`;
			const times = (sent.get(key) ?? 0) + 1;
			sent.set(key, times);
			// the first time only, and every tenth
			if (times > 1 || sequence % 10 !== 0) return false;
			lost += 1;
			return true;
		});
		await until(async () => (await counts()).framesDecoded >= before.framesDecoded + 50, "50 pictures");
		const after = await counts();
		const again = [...sent.values()].filter((times) => times > 1).length;
		expect(lost).toBeGreaterThan(4);
		// the last ones may be asked for still
		expect(again).toBeGreaterThanOrEqual(lost - 2);
		expect(after.nackCount - before.nackCount).toBeGreaterThan(0);
		expect([after.pliCount - before.pliCount, after.keyFramesDecoded - before.keyFramesDecoded]).toEqual([0, 0]);
		await anna.paint(BLUE);
		await until(async () => near(await bert.sees("anna"), BLUE), "the new colour to be seen");
	});

	it("some are lost for good, however often they are sent: the subscriber asks for a key frame, and sees again", async () => {
		const before = await counts();
		const gone = new Set<string>();
		let isCut = true;
		onTheWay((ssrc, sequence) => {
			const key = `${ssrc} ${sequence}`;
			if (isCut) gone.add(key);
			return gone.has(key);
		});
		await anna.paint(RED);
		await until(() => gone.size >= 10, "packets to be lost");
		expect(near(await bert.sees("anna"), BLUE)).toBe(true);
		isCut = false;
		await until(async () => near(await bert.sees("anna"), RED), "the new colour to be seen");
		const back = await counts();
		expect(back.nackCount).toBeGreaterThan(before.nackCount);
		expect([back.pliCount, back.keyFramesDecoded]).toEqual([before.pliCount + 1, before.keyFramesDecoded + 1]);
		await until(async () => (await counts()).framesDecoded >= back.framesDecoded + 20, "the picture to go on");
	});
});
