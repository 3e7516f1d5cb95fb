import { createHash } from "node:crypto";
import type { ByteStreamHandler, TextStreamHandler } from "livekit-client";
import { DataPacket_Kind } from "livekit-server-sdk";
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

/** What an RPC came to: the payload, or the error's code, message and data. */
type Outcome = string | { code: number; message: string; data: string | undefined };

function ask(page: RoomPage, destinationIdentity: string, method: string, payload = ""): Promise<Outcome> {
	return page.run<Outcome, { destinationIdentity: string; method: string; payload: string; responseTimeout: number }>(
		(room, given) =>
			room.localParticipant.performRpc(given).then(
				(answer) => answer,
				(error: { code: number; message: string; data?: string }) => ({ code: error.code, message: error.message, data: error.data }),
			),
		// the least that the client takes
		{ destinationIdentity, method, payload, responseTimeout: 8_000 },
	);
}

describe.skipIf(browser === undefined).each([
	["one connection", true],
	["two connections", false],
])("what pages tell each other, on %s", (name, singlePeerConnection) => {
	let anna: RoomPage;
	let bert: RoomPage;
	let carla: RoomPage;
	/** an RPC that nobody answers takes the client's least time-out: it is begun first and looked at last */
	let unanswered: Promise<{ outcome: Outcome; afterMs: number }>;
	const join = (identity: string): Promise<RoomPage> =>
		RoomPage.join(browser as Browser, server, { url: running.httpUrl, apiKey: "devkey", apiSecret: "secret" }, name, identity, {
			singlePeerConnection,
			grant: { canUpdateOwnMetadata: true },
		});

	beforeAll(async () => {
		[anna, bert, carla] = [await join("anna"), await join("bert"), await join("carla")];
		await Promise.all([anna.told("participantConnected carla"), bert.told("participantConnected carla")]);
		if (!singlePeerConnection) return;
		await bert.run((room) => room.registerRpcMethod("sleep", () => new Promise(() => undefined)));
		const began = performance.now();
		unanswered = ask(anna, "bert", "sleep").then((outcome) => ({ outcome, afterMs: performance.now() - began }));
		// where the test that looks at it is not run, the page goes before it is answered
		unanswered.catch(() => undefined);
	});
	afterAll(async () => {
		for (const page of [anna, bert, carla]) await page.leave();
	});

	it("data packets reach all, or those they name, with their topic, reliable and lossy, and the API's too", async () => {
		await anna.run(async ({ localParticipant: me }) => {
			const bytes = (text: string) => new TextEncoder().encode(text);
			await me.publishData(bytes("to all"), { reliable: true, topic: "news" });
			await me.publishData(bytes("to carla"), { reliable: true, destinationIdentities: ["carla"] });
			await me.publishData(bytes("to bert"), { reliable: true, topic: "ask", destinationIdentities: ["bert"] });
			await me.publishData(bytes("quick"), { reliable: false, topic: "position" });
			await me.publishData(bytes("quick, to carla"), { reliable: false, destinationIdentities: ["carla"] });
		});
		await running.rooms.sendData(name, Buffer.from("from the API"), DataPacket_Kind.RELIABLE, {
			topic: "system",
			destinationIdentities: ["carla", "bert"],
		});
		const received = async (page: RoomPage, count: number) => {
			await until(async () => (await page.state()).data.length >= count, `${count} packets`);
			const { data } = await page.state();
			return data.map(({ from, kind, topic, text }) => [from, kind, topic ?? "", text].join(" | ")).sort();
		};
		const [toBert, toCarla] = [await received(bert, 4), await received(carla, 5)];
		expect(toBert).toEqual([
			" | reliable | system | from the API",
			"anna | lossy | position | quick",
			"anna | reliable | ask | to bert",
			"anna | reliable | news | to all",
		]);
		expect(toCarla).toEqual([
			" | reliable | system | from the API",
			"anna | lossy |  | quick, to carla",
			"anna | lossy | position | quick",
			"anna | reliable |  | to carla",
			"anna | reliable | news | to all",
		]);
		expect((await anna.state()).data).toEqual([]);
	});

	it("texts and files come whole, with topic, attributes, name and type, at once or piece by piece", async () => {
		for (const page of [bert, carla])
			await page.run((room) => {
				const got: unknown[] = [];
				Object.assign(globalThis, { got });
				const take = async (reader: Parameters<TextStreamHandler>[0], identity: string): Promise<void> => {
					const pieces: string[] = [];
					for await (const piece of reader) pieces.push(piece);
					const text = pieces.join("");
					got.push({ from: identity, text: text.slice(0, 40), length: text.length, attributes: reader.info.attributes });
				};
				const store = async (reader: Parameters<ByteStreamHandler>[0], identity: string): Promise<void> => {
					const bytes = new Uint8Array((await reader.readAll()).flatMap((piece) => [...piece]));
					const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
					const sha256 = [...digest].map((one) => one.toString(16).padStart(2, "0")).join("");
					got.push({ from: identity, file: reader.info.name, type: reader.info.mimeType, length: bytes.length, sha256 });
				};
				room.registerTextStreamHandler("notes", (reader, { identity }) => void take(reader, identity));
				room.registerByteStreamHandler("files", (reader, { identity }) => void store(reader, identity));
			});
		await anna.run(async ({ localParticipant: me }) => {
			await me.sendText("short", { topic: "notes", attributes: { lang: "en" } });
			// many packets: a chunk of a stream has 15 kB
			await me.sendText(`long ${"äöü ".repeat(50_000)}`, { topic: "notes", destinationIdentities: ["bert"] });
			const writer = await me.streamText({ topic: "notes" });
			for (const word of ["one ", "after ", "the ", "other"]) await writer.write(word);
			await writer.close();
			const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
			await me.sendFile(new File([bytes], "photo.bin", { type: "image/x-test" }), { topic: "files", destinationIdentities: ["carla"] });
		});
		const got = async (page: RoomPage, count: number): Promise<unknown[]> => {
			let all: unknown[] = [];
			await until(
				async () => {
					all = await page.run(() => (globalThis as unknown as { got: unknown[] }).got);
					return all.length >= count;
				},
				() => `${count} streams: ${JSON.stringify(all)}`,
			);
			return all;
		};
		const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
		const short = { from: "anna", text: "short", length: 5, attributes: { lang: "en" } };
		const pieces = { from: "anna", text: "one after the other", length: 19 };
		const toBert = await got(bert, 3);
		expect(toBert).toHaveLength(3);
		expect(toBert).toEqual(
			expect.arrayContaining([short, expect.objectContaining(pieces), expect.objectContaining({ from: "anna", length: 200_005 })]),
		);
		const toCarla = await got(carla, 3);
		expect(toCarla).toHaveLength(3);
		expect(toCarla).toEqual(
			expect.arrayContaining([
				short,
				expect.objectContaining(pieces),
				{
					from: "anna",
					file: "photo.bin",
					type: "image/x-test",
					length: 300_000,
					sha256: createHash("sha256").update(bytes).digest("hex"),
				},
			]),
		);
	});

	it("chat messages", async () => {
		await anna.run((room) => room.localParticipant.sendChatMessage("hello, all"));
		for (const page of [bert, carla]) expect(await page.told(/^chat/)).toContain("chat anna hello, all");
	});

	it("methods are called: answers, errors, methods and people that are not there", async () => {
		await bert.run((room) => {
			room.registerRpcMethod("echo", ({ callerIdentity, payload }) => Promise.resolve(`${callerIdentity} said ${payload}`));
			room.registerRpcMethod("refuse", () => Promise.reject(new globalThis.trunkline.livekit.RpcError(101, "not today", "try tomorrow")));
			room.registerRpcMethod("fail", () => Promise.reject(new Error("a secret of mine")));
			room.registerRpcMethod("shout", ({ payload }) => Promise.resolve(payload.toUpperCase()));
		});
		expect(await ask(anna, "bert", "echo", "hi")).toBe("anna said hi");
		expect(await ask(carla, "bert", "echo", "ho")).toBe("carla said ho");
		expect(await ask(anna, "bert", "refuse")).toEqual({ code: 101, message: "not today", data: "try tomorrow" });
		expect(await ask(anna, "bert", "fail")).toMatchObject({ code: 1500, message: "Application error in method handler" });
		expect(await ask(anna, "bert", "nothing")).toMatchObject({ code: 1400, message: "Method not supported at destination" });
		// more than one data packet holds, there and back
		const long = await ask(anna, "bert", "shout", "loud ".repeat(8_000));
		expect(typeof long === "string" ? [long.length, new Set(long.split(" "))] : long).toEqual([40_000, new Set(["LOUD", ""])]);
		const dora = await join("dora");
		await anna.told("participantConnected dora");
		await dora.run((room) => room.registerRpcMethod("sleep", () => new Promise(() => undefined)));
		const waiting = ask(anna, "dora", "sleep");
		// asked and not answered yet
		expect(await ask(anna, "dora", "nothing")).toMatchObject({ code: 1400 });
		await dora.leave();
		expect(await waiting).toMatchObject({ code: 1503, message: "Recipient disconnected" });
	});

	it("names, metadata and attributes: one's own, and those that the API sets", async () => {
		await anna.run(async ({ localParticipant: me }) => {
			await me.setAttributes({ mood: "fine", hat: "red" });
			await me.setMetadata('{"seat":4}');
			await me.setName("Anna A.");
			await me.setAttributes({ hat: "" });
		});
		await bert.told("name anna Anna A.");
		const told = await bert.told('attributes anna {"hat":""}');
		expect(told.filter((event) => /^(attributes|metadata|name) anna/.test(event))).toEqual([
			'attributes anna {"mood":"fine","hat":"red"}',
			'metadata anna {"seat":4}',
			"name anna Anna A.",
			'attributes anna {"hat":""}',
		]);
		expect(await bert.run((room) => room.remoteParticipants.get("anna")?.attributes)).toEqual({ mood: "fine" });
		await running.rooms.updateParticipant(name, "anna", { attributes: { mood: "better" }, metadata: "set" });
		await bert.told("metadata anna set");
		await anna.told('attributes anna {"mood":"better"}');
		await running.rooms.updateRoomMetadata(name, "of the room");
		for (const page of [anna, bert, carla]) await page.told("roomMetadata of the room");
	});

	it("who mutes, who is muted by the API, and who speaks", async () => {
		const sid = await anna.speak(700);
		await bert.told("speakers anna");
		await anna.run(async ({ localParticipant: me }) => void (await me.getTrackPublication("microphone" as never)?.mute()));
		await bert.told("trackMuted anna microphone");
		await bert.told("speakers");
		expect((await running.rooms.getParticipant(name, "anna")).tracks[0]?.muted).toBe(true);
		await anna.run(async ({ localParticipant: me }) => void (await me.getTrackPublication("microphone" as never)?.unmute()));
		await bert.told("trackUnmuted anna microphone");
		await until(async () => (await bert.state()).speakers.includes("anna"), "anna to speak again");
		await running.rooms.mutePublishedTrack(name, "anna", sid, true);
		await anna.told("trackMuted anna microphone");
		await until(async () => (await bert.state()).speakers.length === 0, "nobody to speak");
		expect(await bert.run((room) => room.remoteParticipants.get("anna")?.isMicrophoneEnabled)).toBe(false);
	});

	it.runIf(singlePeerConnection)(
		"a method that nobody answers is given up after the client's time (needs 8 s: on one connection only)",
		async () => {
			const { outcome, afterMs } = await unanswered;
			expect(outcome).toMatchObject({ code: 1502, message: "Response timeout" });
			expect(afterMs).toBeGreaterThan(7_900);
			expect(afterMs).toBeLessThan(12_000);
		},
	);
});
