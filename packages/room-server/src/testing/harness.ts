import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
	AudioFrame,
	AudioSource,
	AudioStream,
	LocalAudioTrack,
	type LocalTrackPublication,
	type RemoteAudioTrack,
	Room,
	RoomEvent,
	TrackPublishOptions,
	TrackSource,
} from "@livekit/rtc-node";
import { AccessToken, RoomServiceClient, type VideoGrant } from "livekit-server-sdk";
import { RoomServer, type RoomServerOptions } from "../room-server.ts";

export interface RunningServer {
	server: RoomServer;
	url: string;
	httpUrl: string;
	rooms: RoomServiceClient;
	close(): Promise<void>;
}

/** A room server on free ports of this machine. `onlyTwoConnections`: it is without `/rtc/v1`, as servers were before; clients turn to `/rtc`. */
export async function startServer(options: Partial<RoomServerOptions> = {}, { onlyTwoConnections = false } = {}): Promise<RunningServer> {
	const server = new RoomServer({ apiKeys: { devkey: "secret" }, ...options });
	const http = createServer((request, response) => {
		if (!server.handleHttp(request, response)) response.writeHead(404).end("not here");
	});
	http.on("upgrade", (request, socket, head) => {
		const hidden = onlyTwoConnections && request.url?.startsWith("/rtc/v1") === true;
		if (hidden || !server.handleUpgrade(request, socket, head)) socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
	});
	await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
	const { port } = http.address() as AddressInfo;
	const httpUrl = `http://127.0.0.1:${port}`;
	return {
		server,
		url: `ws://127.0.0.1:${port}`,
		httpUrl,
		rooms: new RoomServiceClient(httpUrl, "devkey", "secret"),
		async close() {
			await server.close();
			http.closeAllConnections();
			await new Promise((resolve) => http.close(resolve));
		},
	};
}

export interface TokenOptions {
	room?: string;
	secret?: string;
	grant?: VideoGrant;
	ttlSeconds?: number;
	kind?: string;
	name?: string;
	metadata?: string;
	attributes?: Record<string, string>;
}

export async function token(identity: string, options: TokenOptions = {}): Promise<string> {
	const { name, metadata, attributes } = options;
	const access = new AccessToken("devkey", options.secret ?? "secret", {
		identity,
		ttl: options.ttlSeconds ?? 600,
		...(name === undefined ? {} : { name }),
		...(metadata === undefined ? {} : { metadata }),
		...(attributes === undefined ? {} : { attributes }),
	});
	access.addGrant({ roomJoin: true, room: options.room ?? "lobby", ...options.grant });
	if (options.kind !== undefined) access.kind = options.kind as never;
	return access.toJwt();
}

/** Joins with the unmodified SDK. */
export async function join(url: string, identity: string, options: TokenOptions = {}): Promise<Room> {
	const room = new Room();
	await room.connect(url, await token(identity, options), { autoSubscribe: true, dynacast: false });
	return room;
}

export interface ToneTrack {
	publication: LocalTrackPublication;
	track: LocalAudioTrack;
	stop(): Promise<void>;
}

/** Publishes a sine of `frequency` Hz and amplitude 8000 (of 32767) until stopped. */
export async function publishTone(room: Room, frequency: number): Promise<ToneTrack> {
	const source = new AudioSource(48_000, 1);
	const track = LocalAudioTrack.createAudioTrack("tone", source);
	const options = new TrackPublishOptions();
	options.source = TrackSource.SOURCE_MICROPHONE;
	const local = room.localParticipant;
	if (local === undefined) throw new Error("not connected");
	const publication = await local.publishTrack(track, options);
	let running = true;
	const feeding = (async () => {
		for (let sample = 0; running; sample += 480) {
			const samples = new Int16Array(480);
			for (let i = 0; i < 480; i++) samples[i] = 8000 * Math.sin((2 * Math.PI * frequency * (sample + i)) / 48_000);
			await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
		}
	})();
	return {
		publication,
		track,
		async stop() {
			running = false;
			await feeding.catch(() => undefined);
			await source.close();
		},
	};
}

/** The next remote audio track of `identity` that `room` is subscribed to. */
export function subscribedTrack(room: Room, identity: string): Promise<RemoteAudioTrack> {
	for (const publication of room.remoteParticipants.get(identity)?.trackPublications.values() ?? []) {
		if (publication.track !== undefined) return Promise.resolve(publication.track as RemoteAudioTrack);
	}
	return new Promise((resolve) => {
		const listener = (track: unknown, _publication: unknown, participant: { identity: string }): void => {
			if (participant.identity !== identity) return;
			room.off(RoomEvent.TrackSubscribed, listener as never);
			resolve(track as RemoteAudioTrack);
		};
		room.on(RoomEvent.TrackSubscribed, listener as never);
	});
}

export interface Heard {
	/** Hz, by rising zero crossings */
	frequency: number;
	/** root mean square of the samples; a sine of amplitude 8000 has 5657 */
	rms: number;
}

/** Listens to what the SDK decodes: drops `skipMs`, then measures `measureMs` of it. */
export async function listen(track: RemoteAudioTrack, skipMs = 400, measureMs = 500): Promise<Heard> {
	const reader = new AudioStream(track, { sampleRate: 48_000, numChannels: 1 }).getReader();
	const skip = skipMs * 48;
	const wanted = measureMs * 48;
	let seen = 0;
	let squares = 0;
	let crossings = 0;
	let previous = 0;
	while (seen < skip + wanted) {
		const { value, done } = await reader.read();
		if (done) throw new Error("the track ended");
		for (const sample of value.data) {
			if (seen >= skip && seen < skip + wanted) {
				squares += sample * sample;
				if (previous < 0 && sample >= 0) crossings++;
			}
			previous = sample;
			seen++;
		}
	}
	await reader.cancel();
	return { frequency: crossings / (measureMs / 1000), rms: Math.sqrt(squares / wanted) };
}

/** Resolves with what `read` gives once it is not undefined or false; rejects after `timeoutMs`. */
export async function until<T>(read: () => T | undefined | false | Promise<T | undefined | false>, timeoutMs = 5_000): Promise<T> {
	const end = performance.now() + timeoutMs;
	for (;;) {
		const value = await read();
		if (value !== undefined && value !== false) return value;
		if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${read.toString()}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** The next event of a room, as an array of its arguments. */
export function nextEvent(room: Room, event: RoomEvent): Promise<unknown[]> {
	return new Promise((resolve) => room.once(event as never, ((...args: unknown[]) => resolve(args)) as never));
}
