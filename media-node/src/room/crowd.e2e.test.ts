import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AudioFrame, AudioSource, dispose, LocalAudioTrack, Room, TrackPublishOptions, TrackSource } from "@livekit/rtc-node";
import { RoomServer } from "@trunkline/room-server";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import type { RoomEvent, RoomSession } from "../call/ports.ts";
import { PLACES } from "./audible.ts";
import { LiveKitRoomConnector } from "./livekit-room-connector.ts";
import { joinToken } from "./token.ts";

const KEYS = { apiKey: "devkey", apiSecret: "secret" };
const TRACKS_EACH = 4;
const { LIVEKIT_URL } = process.env;
const needs = "needs LIVEKIT_URL of a LiveKit server with devkey and secret";
const server = new RoomServer({ apiKeys: { [KEYS.apiKey]: KEYS.apiSecret } });
const http = createServer((_request, response) => response.writeHead(404).end());
http.on("upgrade", (request, socket, head) => {
	if (!server.handleUpgrade(request, socket, head)) socket.destroy();
});
const clients: Room[] = [];
let room = "";
let session: RoomSession | undefined;

beforeAll(async () => {
	await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
	await session?.close();
	await Promise.all(clients.splice(0).map((client) => client.disconnect()));
});

afterAll(async () => {
	await server.close();
	http.closeAllConnections();
	http.close();
	await dispose();
});

async function client(url: string, identity: string): Promise<Room> {
	const token = new AccessToken(KEYS.apiKey, KEYS.apiSecret, { identity });
	token.addGrant({ roomJoin: true, room });
	const joined = new Room();
	await joined.connect(url, await token.toJwt(), { autoSubscribe: false, dynacast: false });
	clients.push(joined);
	return joined;
}

async function publish(client: Room, name: string): Promise<AudioSource> {
	const source = new AudioSource(48_000, 1);
	const track = LocalAudioTrack.createAudioTrack(name, source);
	await client.localParticipant?.publishTrack(track, new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE }));
	return source;
}

const embedded = () => `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
const targets = [
	{ name: "the embedded room server", url: embedded, path: "single", skip: false },
	{ name: `a LiveKit server, one connection (${needs})`, url: () => LIVEKIT_URL ?? "", path: "single", skip: LIVEKIT_URL === undefined },
	{ name: `a LiveKit server, two connections (${needs})`, url: () => LIVEKIT_URL ?? "", path: "dual", skip: LIVEKIT_URL === undefined },
] as const;

for (const { name, url: urlOf, path, skip } of targets)
	it.skipIf(skip)(
		`with more tracks than a telephone hears, who speaks is heard, and somebody silent is not any more: ${name}`,
		async () => {
			const url = urlOf();
			room = `crowd-${process.pid}-${path}`;
			for (let n = 0; n < PLACES / TRACKS_EACH; n++) {
				const silent = await client(url, `silent-${n}`);
				for (let track = 0; track < TRACKS_EACH; track++) await publish(silent, `track-${track}`);
			}
			const heard = new Map<string, string>();
			const onEvent = (event: RoomEvent): void => {
				if (event.type === "track-subscribed") heard.set(event.track.trackSid, event.track.participantIdentity);
				if (event.type === "track-unsubscribed") heard.delete(event.trackSid);
			};
			const token = await joinToken({ ...KEYS, room, identity: "sip_caller", name: "", metadata: "", attributes: {} });
			session = await new LiveKitRoomConnector({ path }).join({ url, token, publishCodecs: ["PCMU"], trackName: "phone", onEvent });
			await vi.waitFor(() => expect(heard.size).toBe(PLACES), 10_000);

			const late = await client(url, "late");
			const source = await publish(late, "voice");
			await vi.waitFor(() => expect(session?.participants().map(({ identity }) => identity)).toContain("late"), 5_000);
			expect([...heard.values()]).not.toContain("late");

			let speaking = true;
			const loop = (async () => {
				for (let n = 0; speaking; n++) {
					const samples = Int16Array.from({ length: 480 }, (_, i) => 9_000 * Math.sin((2 * Math.PI * 440 * (n * 480 + i)) / 48_000));
					await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
				}
			})();
			try {
				await vi.waitFor(() => expect([...heard.values()]).toContain("late"), 10_000);
				await vi.waitFor(() => expect(heard.size).toBe(PLACES), 5_000);
				expect([...heard.values()].filter((identity) => identity.startsWith("silent-"))).toHaveLength(PLACES - 1);
			} finally {
				speaking = false;
				await loop;
			}
		},
	);
