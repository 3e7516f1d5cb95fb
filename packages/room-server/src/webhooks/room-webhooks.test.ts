import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { DisconnectReason, TrackSource } from "@livekit/protocol";
import { dispose } from "@livekit/rtc-node";
import { type WebhookEvent, WebhookReceiver } from "livekit-server-sdk";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { RoomServer } from "../room-server.ts";
import { join, publishTone, type RunningServer, startServer, token, until } from "../testing/harness.ts";

/** Hears webhooks as LiveKit's SDK verifies them. */
class Listener {
	readonly events: WebhookEvent[] = [];
	/** status codes of the next answers; 200 when there are no more */
	readonly answers: number[] = [];
	requests = 0;
	url = "";
	#server: Server | undefined;

	async start(): Promise<void> {
		const receiver = new WebhookReceiver("devkey", "secret");
		this.#server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				this.requests++;
				const status = this.answers.shift() ?? 200;
				const answer = (code: number): unknown => response.writeHead(code, { location: "/elsewhere" }).end();
				if (status !== 200) return answer(status);
				if (request.headers["content-type"] !== "application/webhook+json" || request.url !== "/hook") return answer(400);
				receiver.receive(Buffer.concat(chunks).toString(), request.headers.authorization).then(
					(event) => {
						this.events.push(event);
						answer(200);
					},
					() => answer(401),
				);
				return undefined;
			});
		});
		await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
		this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
	}

	names(): string[] {
		return this.events.map(({ event }) => event);
	}

	async close(): Promise<void> {
		this.#server?.closeAllConnections();
		await new Promise((resolve) => this.#server?.close(resolve));
	}
}

let listener: Listener;
let running: RunningServer;
let logged: Record<string, unknown>[];
beforeEach(async () => {
	[listener, logged] = [new Listener(), []];
	await listener.start();
	running = await startServer({
		departureTimeoutMs: 50,
		webhooks: { urls: [listener.url], apiKey: "devkey", firstRetryMs: 20 },
		log: (message, fields) => message.startsWith("webhook") && logged.push(fields),
	});
});
afterEach(async () => {
	await running.close();
	await listener.close();
});
afterAll(() => dispose());

it("tells of rooms, participants and tracks, in the order they happen, signed as LiveKit's", async () => {
	const made = await running.rooms.createRoom({ name: "lobby", metadata: "m" });
	const alice = await join(running.url, "alice", { metadata: "am", attributes: { a: "1" } });
	const tone = await publishTone(alice, 440);
	await until(() => listener.names().includes("track_published"));
	await alice.localParticipant?.unpublishTrack(tone.publication.sid ?? "");
	await until(() => listener.names().includes("track_unpublished"));
	const second = await publishTone(alice, 440);
	await until(() => listener.names().filter((name) => name === "track_published").length === 2);
	// one who comes and goes before there is a connection
	const ghost = new WebSocket(`${running.url}/rtc?access_token=${await token("ghost")}`);
	await new Promise((resolve) => ghost.once("message", resolve));
	ghost.close();
	await until(() => listener.names().includes("participant_connection_aborted"));
	const sid = alice.localParticipant?.sid;
	await alice.disconnect();
	await until(() => listener.names().includes("room_finished"));
	expect(listener.names()).toEqual([
		"room_started",
		"participant_joined",
		"track_published",
		"track_unpublished",
		"track_published",
		"participant_connection_aborted",
		"track_unpublished",
		"participant_left",
		"room_finished",
	]);
	const [started, joined, published, , , aborted, , left, finished] = listener.events;
	expect(started).toMatchObject({ room: { sid: made.sid, name: "lobby", metadata: "m", numParticipants: 0 } });
	expect(started?.id).toMatch(/^EV_\w{12}$/);
	expect(Math.abs(Number(started?.createdAt) * 1000 - Date.now())).toBeLessThan(60_000);
	expect(new Set(listener.events.map(({ id }) => id)).size).toBe(9);
	expect(joined).toMatchObject({
		room: { sid: made.sid, numParticipants: 1 },
		participant: { sid, identity: "alice", state: 2, metadata: "am", attributes: { a: "1" } },
	});
	expect(published).toMatchObject({
		room: { sid: made.sid, name: "lobby", metadata: "" },
		participant: { sid, identity: "alice", state: 0 },
		track: { sid: tone.publication.sid, name: "tone", source: TrackSource.MICROPHONE, mimeType: "audio/opus" },
	});
	expect(aborted?.participant).toMatchObject({ identity: "ghost", disconnectReason: DisconnectReason.SIGNAL_CLOSE });
	expect(left?.participant).toMatchObject({ sid, state: 3, disconnectReason: DisconnectReason.CLIENT_INITIATED });
	expect(finished?.room).toMatchObject({ sid: made.sid, numParticipants: 0 });
	await Promise.all([tone.stop(), second.stop()]);
	expect(logged).toEqual([]);
});

it("a receiver that fails is asked again; one that redirects is not followed", async () => {
	listener.answers.push(503, 500, 429);
	await running.rooms.createRoom({ name: "stubborn" });
	await until(() => listener.names().includes("room_started"));
	expect(listener.requests).toBe(4);
	listener.answers.push(302);
	await running.rooms.deleteRoom("stubborn");
	await until(() => logged.length > 0);
	expect(logged).toEqual([{ event: "room_finished", receiver: new URL(listener.url).origin, why: "answered 302" }]);
	expect(listener.requests).toBe(5);
});

it("what happens when the server ends is told, and a receiver that does not answer does not hold it up", async () => {
	await running.rooms.createRoom({ name: "ending" });
	await until(() => listener.names().includes("room_started"));
	await running.server.close();
	expect(listener.names()).toEqual(["room_started", "room_finished"]);
});

it("a key or a URL that cannot be is said at the start", () => {
	const make = (urls: string[], apiKey: string): RoomServer =>
		new RoomServer({ apiKeys: { devkey: "secret" }, webhooks: { urls, apiKey } });
	expect(() => make(["http://127.0.0.1:9/"], "another")).toThrow(/another, which is no API key/);
	expect(() => make(["ftp://127.0.0.1/"], "devkey")).toThrow(/no http or https URL/);
});
