import { Socket } from "node:dgram";
import dns from "node:dns";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, isIP, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import {
	AudioFrame,
	AudioSource,
	AudioStream,
	LocalAudioTrack,
	Room,
	RoomEvent as RtcEvent,
	TrackKind,
	TrackPublishOptions,
} from "@livekit/rtc-node";
import { TrackSource, dispose } from "@livekit/rtc-node";
import { RoomServer } from "@trunkline/room-server";
import { AccessToken, RoomServiceClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { EncodedFrame, RoomCodec, RoomEvent, RoomSession } from "../call/ports.ts";
import { LiveKitRoomConnector } from "./livekit-room-connector.ts";
import { joinToken } from "./token.ts";

interface Target {
	url: string;
	apiKey: string;
	apiSecret: string;
	close(): Promise<void>;
}

const { LIVEKIT_URL, LIVEKIT_API_KEY = "devkey", LIVEKIT_API_SECRET = "secret" } = process.env;

async function realServer(): Promise<Target> {
	return { url: LIVEKIT_URL ?? "", apiKey: LIVEKIT_API_KEY, apiSecret: LIVEKIT_API_SECRET, close: async () => undefined };
}

async function embeddedServer(): Promise<Target> {
	const server = new RoomServer({ apiKeys: { devkey: "secret" } });
	const http = createHttpServer((request, response) => {
		if (!server.handleHttp(request, response)) response.writeHead(404).end();
	});
	http.on("upgrade", (request, socket, head) => {
		if (!server.handleUpgrade(request, socket, head)) socket.destroy();
	});
	await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
	return {
		url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
		apiKey: "devkey",
		apiSecret: "secret",
		close: async () => {
			await server.close();
			http.closeAllConnections();
			await new Promise((resolve) => http.close(resolve));
		},
	};
}

const needs = "needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET of a running LiveKit server";
const targets = [
	{ name: "the embedded room server", path: "single", start: embeddedServer, skip: false },
	{ name: `a LiveKit server, one connection (${needs})`, path: "single", start: realServer, skip: LIVEKIT_URL === undefined },
	{ name: `a LiveKit server, two connections (${needs})`, path: "dual", start: realServer, skip: LIVEKIT_URL === undefined },
] as const;

let rooms = 0;
const uniqueRoom = () => `room-client-${process.pid}-${Date.now()}-${++rooms}`;

for (const { name, path, start, skip } of targets)
	describe.skipIf(skip)(`against ${name}`, () => {
		let target: Target;
		let url = "";
		let api: RoomServiceClient;
		beforeAll(async () => {
			target = await start();
			url = target.url;
			api = new RoomServiceClient(url.replace(/^ws/, "http"), target.apiKey, target.apiSecret);
		});
		afterAll(() => target.close());
		const sessions: RoomSession[] = [];
		const clients: Room[] = [];

		afterEach(async () => {
			await Promise.all(sessions.splice(0).map((session) => session.close()));
			await Promise.all(clients.splice(0).map((client) => client.disconnect()));
		});

		async function join(
			room: string,
			options: { identity?: string; codecs?: readonly RoomCodec[]; attributes?: Record<string, string> } = {},
		) {
			const events: RoomEvent[] = [];
			const token = await joinToken({
				apiKey: target.apiKey,
				apiSecret: target.apiSecret,
				room,
				identity: options.identity ?? "sip_caller",
				name: "Phone 100",
				metadata: "from the rule",
				attributes: options.attributes ?? {},
			});
			const session = await new LiveKitRoomConnector({ path }).join({
				url,
				token,
				publishCodecs: options.codecs ?? ["PCMU", "PCMA", "opus"],
				trackName: "phone",
				onEvent: (event) => events.push(event),
			});
			sessions.push(session);
			return { session, events };
		}

		async function client(room: string, identity: string): Promise<Room> {
			const token = new AccessToken(target.apiKey, target.apiSecret, { identity });
			token.addGrant({ roomJoin: true, room });
			const joined = new Room();
			await joined.connect(url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
			clients.push(joined);
			return joined;
		}

		it.each([["PCMU"], ["PCMA"]] as const)("a tone that we publish as %s is heard with its frequency and level", async (codec) => {
			const room = uniqueRoom();
			const listener = await client(room, "listener");
			const heard = recordFirstTrack(listener);
			const { session } = await join(room, { codecs: [codec] });
			expect(session.uplink.codec).toBe(codec);
			await playTone(session, codec, 440, 8000, 2000);
			const samples = await heard.stop();
			// the middle of the recording: concealment at its ends is not ours
			const { frequency, level } = loudest(samples.subarray(samples.length / 4, (samples.length * 3) / 4), 48_000);
			expect(frequency).toBeGreaterThan(435);
			expect(frequency).toBeLessThan(445);
			expect(level).toBeGreaterThan(8000 * 0.85);
			expect(level).toBeLessThan(8000 * 1.15);
		});

		it("Opus of another participant arrives as frames in order, and we never hear ourselves", async () => {
			const room = uniqueRoom();
			const { session, events } = await join(room);
			const speaker = await client(room, "speaker");
			const stop = await speak(speaker, 600);
			const subscribed = await waitFor(() => events.find((event) => event.type === "track-subscribed"));
			expect(subscribed.track.participantIdentity).toBe("speaker");
			const frames: EncodedFrame[] = [];
			subscribed.track.onFrame((frame) => frames.push({ ...frame, payload: Uint8Array.from(frame.payload) }));
			const talking = playTone(session, "PCMU", 440, 8000, 1500);
			await talking;
			// a LiveKit server ends a track with frames of silence of its own
			const spoken = frames.slice();
			await stop();
			expect(spoken.length).toBeGreaterThan(60);
			expect(new Set(spoken.map((frame) => frame.codec))).toEqual(new Set(["opus"]));
			for (const [i, frame] of spoken.entries()) {
				const before = spoken[i - 1];
				if (before === undefined) continue;
				expect((frame.sequence - before.sequence) & 0xffff).toBe(1);
				expect((frame.timestamp - before.timestamp) >>> 0).toBe(960);
			}
			expect(events.filter((event) => event.type === "track-subscribed")).toHaveLength(1);
			await waitFor(() => events.find((event) => event.type === "track-unsubscribed"));
		});

		it("sees who comes and goes, with kind, and tells mutes", async () => {
			const room = uniqueRoom();
			const early = await join(room, { identity: "sip_first" });
			const { session, events } = await join(room, { identity: "sip_second" });
			expect(session.participants().map(({ identity, kind }) => [identity, kind])).toEqual([["sip_first", "sip"]]);
			const speaker = await client(room, "speaker");
			const joined = await waitFor(() => events.find((event) => event.type === "participant-joined"));
			expect(joined.participant).toMatchObject({ identity: "speaker", kind: "standard" });
			const stop = await speak(speaker, 600);
			await waitFor(() => events.find((event) => event.type === "track-subscribed" && event.track.participantIdentity === "speaker"));
			const [sid = ""] = [...(speaker.localParticipant?.trackPublications.values() ?? [])].map((publication) => publication.sid);
			await api.mutePublishedTrack(room, "speaker", sid, true);
			await waitFor(() => events.find((event) => event.type === "track-muted" && event.trackSid === sid && event.muted));
			await stop();
			await speaker.disconnect();
			const left = await waitFor(() => events.find((event) => event.type === "participant-left"));
			expect(left.participant.identity).toBe("speaker");
			await early.session.close();
			await waitFor(() => events.find((event) => event.type === "participant-left" && event.participant.identity === "sip_first"));
			expect(session.participants()).toEqual([]);
		});

		it("DTMF goes both ways", async () => {
			const room = uniqueRoom();
			const other = await client(room, "other");
			const heard: [number, string, string | undefined][] = [];
			other.on(RtcEvent.DtmfReceived, (code, digit, participant) => heard.push([code, digit, participant?.identity]));
			const { session, events } = await join(room);
			for (const [code, digit] of [
				[1, "1"],
				[10, "*"],
				[11, "#"],
				[11, "#"],
			] as const)
				session.sendDtmf(code, digit);
			await waitFor(() => (heard.length >= 4 ? heard : undefined));
			expect(heard).toEqual([
				[1, "1", "sip_caller"],
				[10, "*", "sip_caller"],
				[11, "#", "sip_caller"],
				[11, "#", "sip_caller"],
			]);
			await other.localParticipant?.publishDtmf(5, "5");
			await other.localParticipant?.publishDtmf(0, "0");
			await waitFor(() => (events.filter((event) => event.type === "dtmf").length >= 2 ? events : undefined));
			expect(events.filter((event) => event.type === "dtmf")).toEqual([
				{ type: "dtmf", digits: "5", participantIdentity: "other" },
				{ type: "dtmf", digits: "0", participantIdentity: "other" },
			]);
		});

		it("attributes of the token and of updates are seen; an empty value deletes", async () => {
			const room = uniqueRoom();
			const { session } = await join(room, { attributes: { "sip.callStatus": "ringing", keep: "1" } });
			await session.setAttributes({ "sip.callStatus": "active", extra: "2", keep: "" });
			const [info] = await api.listParticipants(room);
			expect(info?.attributes).toEqual({ "sip.callStatus": "active", extra: "2" });
			expect(info).toMatchObject({ identity: "sip_caller", name: "Phone 100", metadata: "from the rule", kind: 3 });
			expect(info?.tracks.map((track) => [track.name, track.mimeType.toLowerCase()])).toEqual([["phone", "audio/pcmu"]]);
		});

		it("a removed participant's session closes as removed", async () => {
			const room = uniqueRoom();
			const { session, events } = await join(room);
			await api.removeParticipant(room, "sip_caller");
			await waitFor(() => events.find((event) => event.type === "closed"));
			expect(events.at(-1)).toMatchObject({ type: "closed", reason: "removed" });
			await session.close();
			expect(events.filter((event) => event.type === "closed")).toHaveLength(1);
		});

		it("a deleted room closes the session as room-deleted", async () => {
			const room = uniqueRoom();
			const { events } = await join(room);
			await api.deleteRoom(room);
			await waitFor(() => events.find((event) => event.type === "closed"));
			expect(events.at(-1)).toMatchObject({ type: "closed", reason: "room-deleted" });
		});

		it("a second participant of the same identity ends the first", async () => {
			const room = uniqueRoom();
			const first = await join(room);
			await join(room);
			await waitFor(() => first.events.find((event) => event.type === "closed"));
			expect(first.events.at(-1)).toMatchObject({ type: "closed", reason: "duplicate-identity" });
		});

		it("closing frees every socket and timer, and twice is once", async () => {
			const room = uniqueRoom();
			const before = resources();
			const { session, events } = await join(room);
			expect(resources().UDPWrap ?? 0).toBeGreaterThan(before.UDPWrap ?? 0);
			await Promise.all([session.close(), session.close()]);
			expect(events).toEqual([{ type: "closed", reason: "client", message: "left the room" }]);
			await waitFor(() => (nothingMore(before) ? true : undefined));
			await waitFor(async () => ((await api.listParticipants(room)).length === 0 ? true : undefined));
		});

		it("an aborted join leaves nothing behind, whenever it is aborted", async () => {
			const before = resources();
			for (const delay of [0, 3, 8, 15, 25]) {
				const room = uniqueRoom();
				const controller = new AbortController();
				const token = await joinToken({
					apiKey: target.apiKey,
					apiSecret: target.apiSecret,
					room,
					identity: "a",
					name: "",
					metadata: "",
					attributes: {},
				});
				const events: RoomEvent[] = [];
				const options = { url, token, publishCodecs: ["PCMU"] as const, trackName: "t", onEvent: (event: RoomEvent) => events.push(event) };
				const joining = new LiveKitRoomConnector({ path }).join(options, controller.signal);
				setTimeout(() => controller.abort(), delay);
				const outcome = await joining.then(
					(session) => session.close(),
					(error: unknown) => error,
				);
				if (outcome !== undefined) expect(outcome).toMatchObject({ name: "RoomJoinError", code: "aborted" });
				expect(events.filter((event) => event.type !== "closed")).toEqual([]);
			}
			await waitFor(() => (nothingMore(before) ? true : undefined));
		});

		it("a wrong secret is unauthorized", async () => {
			const token = await joinToken({
				apiKey: target.apiKey,
				apiSecret: "wrong",
				room: "r",
				identity: "a",
				name: "",
				metadata: "",
				attributes: {},
			});
			const joining = new LiveKitRoomConnector({ path }).join({ url, token, publishCodecs: ["PCMU"], trackName: "t", onEvent: () => {} });
			await expect(joining).rejects.toMatchObject({ name: "RoomJoinError", code: "unauthorized" });
		});

		it("looks no name up and asks no STUN server", async () => {
			const names: string[] = [];
			const destinations: string[] = [];
			const note = (name: unknown) => names.push(String(name));
			const { lookup } = dns;
			vi.spyOn(dns, "lookup").mockImplementation(((name: string, ...rest: unknown[]) => {
				// dgram and net "look up" addresses too
				if (isIP(name) === 0) note(name);
				return Reflect.apply(lookup, dns, [name, ...rest]) as unknown;
			}) as never);
			vi.spyOn(dns.promises, "lookup").mockImplementation(((name: string) => {
				note(name);
				return Promise.reject(new Error("no names here"));
			}) as never);
			const send = Reflect.get(Socket.prototype, "send") as (...parameters: unknown[]) => void;
			vi.spyOn(Socket.prototype, "send").mockImplementation(function (this: Socket, ...parameters: unknown[]) {
				destinations.push(...parameters.filter((parameter) => typeof parameter === "string"));
				Reflect.apply(send, this, parameters);
			} as never);
			try {
				const { session } = await join(uniqueRoom());
				await session.close();
			} finally {
				vi.restoreAllMocks();
			}
			expect(names).toEqual([]);
			expect(new Set(destinations)).toEqual(new Set(["127.0.0.1"]));
		});
	});

// rtc-node's native side lives once per process
afterAll(() => dispose());

describe("when the way to the server is odd", () => {
	const sockets: Duplex[] = [];
	const asked: string[] = [];
	let refuseWith: (path: string) => number | undefined = () => undefined;
	let server: RoomServer;
	let http: HttpServer;
	let url = "";
	beforeAll(async () => {
		server = new RoomServer({ apiKeys: { devkey: "secret" } });
		http = createHttpServer();
		http.on("upgrade", (request, socket, head) => {
			const path = new URL(request.url ?? "", "http://host").pathname;
			asked.push(path);
			sockets.push(socket);
			const status = refuseWith(path);
			if (status === undefined) server.handleUpgrade(request, socket, head);
			else socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot today`);
		});
		await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
		url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
	});
	afterEach(() => {
		refuseWith = () => undefined;
		asked.length = 0;
	});
	afterAll(async () => {
		await server.close();
		http.closeAllConnections();
		await new Promise((resolve) => http.close(resolve));
	});

	async function join(connector: LiveKitRoomConnector, events: RoomEvent[] = []) {
		const room = uniqueRoom();
		const token = await joinToken({ apiKey: "devkey", apiSecret: "secret", room, identity: "a", name: "", metadata: "", attributes: {} });
		return connector.join({ url, token, publishCodecs: ["PCMU"], trackName: "t", onEvent: (event) => events.push(event) });
	}

	it("a server without /rtc/v1 is asked for /rtc", async () => {
		refuseWith = (path) => (path === "/rtc/v1" ? 404 : 401);
		await expect(join(new LiveKitRoomConnector())).rejects.toMatchObject({ code: "unauthorized" });
		expect(asked).toEqual(["/rtc/v1", "/rtc"]);
	});

	it("a refusal that is no 404 is final", async () => {
		refuseWith = () => 403;
		await expect(join(new LiveKitRoomConnector())).rejects.toMatchObject({ code: "unauthorized" });
		expect(asked).toEqual(["/rtc/v1"]);
	});

	it("a server that refuses both is refused, with its words", async () => {
		refuseWith = () => 404;
		const before = resources();
		await expect(join(new LiveKitRoomConnector())).rejects.toMatchObject({
			code: "refused",
			message: expect.stringContaining("not today"),
		});
		refuseWith = () => 503;
		await expect(join(new LiveKitRoomConnector())).rejects.toMatchObject({ code: "refused", message: expect.stringContaining("503") });
		await waitFor(() => (resources().UDPWrap === before.UDPWrap ? true : undefined));
	});

	it("messages that nobody here knows change nothing", async () => {
		const events: RoomEvent[] = [];
		const session = await join(new LiveKitRoomConnector({ recoveryMs: 0 }), events);
		// final binary frames of a server are not masked
		const frame = (...bytes: number[]) => sockets.at(-1)?.write(Uint8Array.of(0x82, bytes.length, ...bytes));
		// of no kind at all; field 999, a varint, and field 1000, five bytes; a kind that we know, with a field that we do not
		frame();
		frame(0xb8, 0x3e, 1);
		frame(0xc2, 0x3e, 5, 1, 2, 3, 4, 5);
		frame(0xba, 0x01, 3, 0xb8, 0x3e, 1);
		await session.setAttributes({ still: "here" });
		expect(session.attributes()).toMatchObject({ still: "here" });
		expect(events).toEqual([]);
		await session.close();
	});

	it("where no recovery is wanted a broken WebSocket is a lost connection, told once and last", async () => {
		// the server opens its own sockets with its first participants
		for (let i = 0; i < 4; i++) await (await join(new LiveKitRoomConnector())).close();
		const before = resources();
		const events: RoomEvent[] = [];
		const session = await join(new LiveKitRoomConnector({ recoveryMs: 0 }), events);
		sockets.at(-1)?.destroy();
		await waitFor(() => events.find((event) => event.type === "closed"));
		await expect(session.setAttributes({ a: "1" })).rejects.toThrow(/closed/);
		session.sendDtmf(1, "1");
		session.uplink.write({ codec: "PCMU", payload: new Uint8Array(160), sequence: 1, timestamp: 1, marker: false }, 0);
		await session.close();
		expect(events).toEqual([{ type: "closed", reason: "connection-lost", message: expect.any(String) }]);
		await waitFor(() => (resources().UDPWrap === before.UDPWrap ? true : undefined));
	});
});

describe("without a room server", () => {
	let silent: Server;
	let silentUrl = "";
	beforeAll(async () => {
		silent = createServer(() => undefined);
		await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
		silentUrl = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
	});
	afterAll(() => silent.close());

	const options = (url: string) => ({ url, token: "t", publishCodecs: ["PCMU"] as const, trackName: "t", onEvent: () => {} });

	it("nobody at the port is unreachable", async () => {
		await expect(new LiveKitRoomConnector().join(options("ws://127.0.0.1:1"))).rejects.toMatchObject({ code: "unreachable" });
	});

	it("an address that is no URL is unreachable", async () => {
		await expect(new LiveKitRoomConnector().join(options("ftp://127.0.0.1"))).rejects.toMatchObject({ code: "unreachable" });
	});

	it("a server that says nothing is a timeout, and frees all", async () => {
		// what the test before has closed counts until the event loop has turned: closed handles come after immediates
		for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
		const before = resources();
		const joining = new LiveKitRoomConnector({ joinTimeoutMs: 200 }).join(options(silentUrl));
		await expect(joining).rejects.toMatchObject({ code: "timeout" });
		await waitFor(() => (resources().UDPWrap === before.UDPWrap ? true : undefined));
	});

	it("a join that is aborted already does not begin", async () => {
		await expect(new LiveKitRoomConnector().join(options(silentUrl), AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
	});
});

function resources(): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const name of process.getActiveResourcesInfo().sort()) if (/UDP|TCP|TLS/.test(name)) counts[name] = (counts[name] ?? 0) + 1;
	return counts;
}

/** Keep-alive connections of the API client come and go, so fewer is fine. */
function nothingMore(before: Record<string, number>): boolean {
	return Object.entries(resources()).every(([name, count]) => count <= (before[name] ?? 0));
}

async function waitFor<T>(look: () => T | undefined | Promise<T | undefined>, timeoutMs = 5000): Promise<T> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		const found = await look();
		if (found !== undefined) return found;
		if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${String(look)}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** Plays a sine of `amplitude` through the uplink, paced in real time. */
async function playTone(
	session: RoomSession,
	codec: "PCMU" | "PCMA",
	frequency: number,
	amplitude: number,
	durationMs: number,
): Promise<void> {
	const start = performance.now();
	for (let n = 0; n * 20 < durationMs; n++) {
		const payload = new Uint8Array(160);
		for (let i = 0; i < 160; i++) {
			const sample = Math.round(amplitude * Math.sin((2 * Math.PI * frequency * (n * 160 + i)) / 8000));
			payload[i] = codec === "PCMU" ? toMuLaw(sample) : toALaw(sample);
		}
		session.uplink.write({ codec, payload, timestamp: (n * 160) >>> 0, sequence: n & 0xffff, marker: n === 0 }, 15);
		const wait = start + (n + 1) * 20 - performance.now();
		if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
	}
}

/** ITU-T G.711 by its own definition, so that the test does not share code with what it tests. */
function toMuLaw(sample: number): number {
	const sign = sample < 0 ? 0x80 : 0;
	const magnitude = Math.min(32635, Math.abs(sample)) + 132;
	const exponent = Math.floor(Math.log2(magnitude)) - 7;
	return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function toALaw(sample: number): number {
	const sign = sample >= 0 ? 0x80 : 0;
	const magnitude = Math.min(32767, Math.abs(sample)) >> 3;
	const exponent = magnitude < 32 ? 0 : Math.floor(Math.log2(magnitude)) - 4;
	const mantissa = exponent === 0 ? (magnitude >> 1) & 0x0f : (magnitude >> exponent) & 0x0f;
	return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

function recordFirstTrack(room: Room): { stop: () => Promise<Int16Array> } {
	const chunks: Int16Array[] = [];
	let reader: ReadableStreamDefaultReader<AudioFrame> | undefined;
	room.on(RtcEvent.TrackSubscribed, (track) => {
		if (track.kind !== TrackKind.KIND_AUDIO || reader !== undefined) return;
		reader = new AudioStream(track, 48_000, 1).getReader() as ReadableStreamDefaultReader<AudioFrame>;
		void (async () => {
			for (;;) {
				const { done, value } = await (reader as ReadableStreamDefaultReader<AudioFrame>).read();
				if (done) return;
				chunks.push(Int16Array.from(value.data));
			}
		})().catch(() => undefined);
	});
	return {
		stop: async () => {
			await reader?.cancel();
			const samples = new Int16Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
			let offset = 0;
			for (const chunk of chunks) {
				samples.set(chunk, offset);
				offset += chunk.length;
			}
			return samples;
		},
	};
}

/**
 * The median over windows of 200 ms. In one long window a frame that the far side's jitter buffer leaves out on a busy machine turns the phase,
 * and a tone that was heard cancels itself.
 */
function loudest(samples: Int16Array, sampleRate: number): { frequency: number; level: number } {
	const length = sampleRate / 5;
	const windows = Array.from({ length: Math.floor(samples.length / length) }, (_, i) =>
		loudestOf(samples.subarray(i * length, (i + 1) * length), sampleRate),
	);
	const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
	return { frequency: median(windows.map((one) => one.frequency)), level: median(windows.map((one) => one.level)) };
}

/** The strongest frequency between 50 and 2000 Hz, and its amplitude. */
function loudestOf(samples: Int16Array, sampleRate: number): { frequency: number; level: number } {
	let best = { frequency: 0, level: 0 };
	for (let frequency = 50; frequency <= 2000; frequency += 2.5) {
		const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / sampleRate);
		let [s1, s2] = [0, 0];
		for (const sample of samples) [s1, s2] = [sample + coefficient * s1 - s2, s1];
		const level = (2 * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - coefficient * s1 * s2))) / samples.length;
		if (level > best.level) best = { frequency, level };
	}
	return best;
}

/** Publishes a tone until the returned function is called. */
async function speak(room: Room, frequency: number): Promise<() => Promise<void>> {
	const source = new AudioSource(48_000, 1);
	const track = LocalAudioTrack.createAudioTrack("voice", source);
	const options = new TrackPublishOptions();
	options.source = TrackSource.SOURCE_MICROPHONE;
	options.red = false;
	const publication = await room.localParticipant?.publishTrack(track, options);
	let talking = true;
	const loop = (async () => {
		for (let n = 0; talking; n++) {
			const data = Int16Array.from({ length: 480 }, (_, i) => 8000 * Math.sin((2 * Math.PI * frequency * (n * 480 + i)) / 48_000));
			await source.captureFrame(new AudioFrame(data, 48_000, 1, 480));
		}
	})();
	return async () => {
		talking = false;
		await loop;
		if (publication?.sid !== undefined) await room.localParticipant?.unpublishTrack(publication.sid);
	};
}
