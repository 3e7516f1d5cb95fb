/** What happens to rooms, and how long nobody hears anything then. With OUTAGES=all the long cases, too, and a table for docs/rooms.md. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { RoomServer } from "@trunkline/room-server";
import { CuttableProxy, seededRandom } from "@trunkline/testkit";
import { RoomServiceClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { RoomEvent, RoomSession } from "../call/ports.ts";
import { LiveKitRoomConnector } from "./livekit-room-connector.ts";
import { joinToken } from "./token.ts";
import type * as UdpSocketModuleExports from "./webrtc/udp-socket.ts";

type UdpSocketModule = typeof UdpSocketModuleExports;

/** Of every UDP socket of a session that is opened while it is `next`: nothing passes, or not all. */
class Cable {
	isCut = false;
	loss = 0;
	readonly #random = seededRandom(7);
	passes(): boolean {
		return !this.isCut && (this.loss === 0 || this.#random() >= this.loss);
	}
}
const cables = vi.hoisted(() => ({ next: undefined as { passes(): boolean } | undefined }));

vi.mock("./webrtc/udp-socket.ts", async (importActual) => {
	const actual = await importActual<UdpSocketModule>();
	return {
		openPeerSocket: async (address: string, onPacket: (packet: Buffer, address: string, port: number) => void) => {
			const cable = cables.next;
			const socket = await actual.openPeerSocket(address, (packet, from, port) => {
				if (cable?.passes() !== false) onPacket(packet, from, port);
			});
			return {
				port: socket.port,
				send: (packet: Uint8Array, port: number, to: string) => {
					if (cable?.passes() !== false) socket.send(packet, port, to);
				},
				close: () => socket.close(),
			};
		},
	};
});

interface Server {
	port: number;
	stop(): Promise<void>;
	start(): Promise<void>;
}

async function embedded(port = 0): Promise<Server> {
	let current: { server: RoomServer; http: ReturnType<typeof createHttpServer> } | undefined;
	const self: Server = {
		port,
		start: async () => {
			const server = new RoomServer({ apiKeys: { devkey: "secret" } });
			const http = createHttpServer((request, response) => {
				if (!server.handleHttp(request, response)) response.writeHead(404).end();
			});
			http.on("upgrade", (request, socket, head) => {
				if (!server.handleUpgrade(request, socket, head)) socket.destroy();
			});
			await new Promise<void>((resolve) => http.listen(self.port, "127.0.0.1", resolve));
			self.port = (http.address() as AddressInfo).port;
			current = { server, http };
		},
		stop: async () => {
			const { server, http } = current ?? {};
			await server?.close();
			http?.closeAllConnections();
			await new Promise((resolve) => http?.close(resolve));
		},
	};
	await self.start();
	return self;
}

const { LIVEKIT_SERVER, LIVEKIT_SERVER_CONFIG = "", LIVEKIT_SERVER_PORT = "7880", OUTAGES, OUTAGES_TABLE } = process.env;

/** LIVEKIT_SERVER is the program, LIVEKIT_SERVER_CONFIG its configuration, with that port; it is started and killed here. */
async function real(): Promise<Server> {
	let child: ChildProcess | undefined;
	const self: Server = {
		port: Number(LIVEKIT_SERVER_PORT),
		start: async () => {
			child = spawn(LIVEKIT_SERVER ?? "", ["--config", LIVEKIT_SERVER_CONFIG, "--keys", "devkey: secret"], { stdio: "ignore" });
			for (let i = 0; i < 200; i++) {
				const isUp = await fetch(`http://127.0.0.1:${self.port}/`).then(
					() => true,
					() => false,
				);
				if (isUp) return;
				await delay(50);
			}
			throw new Error("the LiveKit server did not start");
		},
		stop: async () => {
			const gone = new Promise((resolve) => child?.once("exit", resolve));
			child?.kill("SIGKILL");
			await gone;
		},
	};
	await self.start();
	return self;
}

const all = OUTAGES === "all";
const needs = "needs LIVEKIT_SERVER, LIVEKIT_SERVER_CONFIG and LIVEKIT_SERVER_PORT of a LiveKit server's program";
const targets = [
	{ name: "the embedded room server", path: "auto", start: embedded, skip: false },
	{ name: "LiveKit server, one connection", path: "single", start: real, skip: LIVEKIT_SERVER === undefined },
	{ name: "LiveKit server, two connections", path: "dual", start: real, skip: LIVEKIT_SERVER === undefined },
] as const;

/** A session that speaks all the time, and notes when it hears something. */
class Speaker {
	readonly events: RoomEvent[] = [];
	readonly cable = new Cable();
	readonly heard: number[] = [];
	session: RoomSession | undefined;
	#timer: NodeJS.Timeout | undefined;

	async join(url: string, room: string, identity: string, path: "auto" | "single" | "dual"): Promise<this> {
		const token = await joinToken({
			apiKey: "devkey",
			apiSecret: "secret",
			room,
			identity,
			name: identity,
			metadata: "",
			attributes: { a: "token" },
		});
		cables.next = this.cable;
		this.session = await new LiveKitRoomConnector({ path, recoveryMs: 60_000 }).join({
			...{ url, token, publishCodecs: ["PCMU"], trackName: identity },
			onEvent: (event) => {
				this.events.push(event);
				if (event.type === "track-subscribed") event.track.onFrame(() => this.heard.push(performance.now()));
			},
		});
		let count = 0;
		this.#timer = setInterval(() => {
			count += 1;
			const frame = {
				codec: "PCMU",
				payload: new Uint8Array(160).fill(count),
				sequence: count & 0xffff,
				timestamp: count * 160,
				marker: false,
			} as const;
			this.session?.uplink.write(frame, 20);
		}, 20);
		return this;
	}

	/** the longest time without a packet since then, seconds; until now when nothing came after it */
	gap(since: number): number {
		const times = [since, ...this.heard.filter((at) => at >= since), performance.now()];
		return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? 0))) / 1000;
	}

	get closed(): RoomEvent | undefined {
		return this.events.find(({ type }) => type === "closed");
	}

	types(): string[] {
		return this.events.map((event) => (event.type === "restored" ? `restored by ${event.how}` : event.type));
	}

	async leave(): Promise<void> {
		clearInterval(this.#timer);
		await this.session?.close();
	}
}

let rooms = 0;
for (const { name, path, start, skip } of targets)
	describe.skipIf(skip)(`a telephone's room at ${name}${skip ? ` (${needs})` : ""}`, () => {
		let server: Server;
		let proxy: CuttableProxy;
		let api: RoomServiceClient;
		const speakers: Speaker[] = [];

		beforeAll(async () => {
			server = await start();
			proxy = await CuttableProxy.to(server.port);
			api = new RoomServiceClient(`http://127.0.0.1:${server.port}`, "devkey", "secret");
		});
		afterEach(async () => {
			proxy.mend();
			await Promise.all(speakers.splice(0).map((speaker) => speaker.leave()));
		});
		afterAll(async () => {
			await proxy.close();
			await server.stop();
		});

		async function both(): Promise<{ caller: Speaker; other: Speaker; room: string }> {
			const room = `outage-${process.pid}-${++rooms}`;
			const caller = await new Speaker().join(`ws://127.0.0.1:${proxy.port}`, room, "sip_caller", path);
			const other = await new Speaker().join(`ws://127.0.0.1:${server.port}`, room, "other", path);
			speakers.push(caller, other);
			await hears(caller, performance.now(), 5_000);
			await hears(other, performance.now(), 5_000);
			return { caller, other, room };
		}

		async function hears(speaker: Speaker, since: number, withinMs: number): Promise<void> {
			const until = performance.now() + withinMs;
			while (speaker.heard.filter((at) => at > since).length < 25) {
				if (performance.now() > until) throw new Error(`nothing heard within ${withinMs} ms: ${speaker.types().join(", ")}`);
				await delay(20);
			}
		}

		function report(what: string, since: number, { caller, other }: { caller: Speaker; other: Speaker }): void {
			const how = caller.types().find((type) => type.startsWith("restored")) ?? "not interrupted";
			const row = `| ${name} | ${what} | ${caller.gap(since).toFixed(1)} | ${other.gap(since).toFixed(1)} | ${how} |\n`;
			if (OUTAGES_TABLE !== undefined) appendFileSync(OUTAGES_TABLE, row);
		}

		for (const seconds of all ? [1, 5, 20] : [1])
			it(`socket cut for ${seconds} s: the WebSocket alone`, { timeout: 60_000 }, async () => {
				const pair = await both();
				const since = performance.now();
				proxy.cut();
				await delay(seconds * 1000);
				proxy.mend();
				await vi.waitFor(() => expect(pair.caller.types().join()).toContain("restored"), { timeout: 15_000, interval: 50 });
				await hears(pair.caller, performance.now(), 8_000);
				await hears(pair.other, performance.now(), 8_000);
				report(`WebSocket cut for ${seconds} s`, since, pair);
				expect(pair.caller.closed).toBeUndefined();
			});

		for (const seconds of all ? [1, 5, 20] : [1])
			it(`socket cut for ${seconds} s: WebSocket and UDP`, { timeout: 90_000 }, async () => {
				const pair = await both();
				const since = performance.now();
				proxy.cut();
				pair.caller.cable.isCut = true;
				await delay(seconds * 1000);
				const mended = performance.now();
				pair.caller.cable.isCut = false;
				proxy.mend();
				await vi.waitFor(() => expect(pair.caller.types().join()).toContain("restored"), { timeout: 25_000, interval: 50 });
				await hears(pair.caller, mended, 15_000);
				await hears(pair.other, mended, 15_000);
				report(`all cut for ${seconds} s`, since, pair);
				expect(pair.caller.closed).toBeUndefined();
			});

		it("server restarted", { timeout: 60_000 }, async () => {
			const pair = await both();
			await pair.caller.session?.setAttributes({ a: "later", b: "1" });
			const since = performance.now();
			await server.stop();
			await server.start();
			for (const speaker of [pair.caller, pair.other])
				await vi.waitFor(() => expect(speaker.types()).toContain("restored by rejoin"), { timeout: 25_000, interval: 50 });
			await hears(pair.caller, performance.now(), 10_000);
			await hears(pair.other, performance.now(), 10_000);
			report("server killed and started again", since, pair);
			expect(pair.caller.closed).toBeUndefined();
			await vi.waitFor(() => expect(pair.caller.session?.attributes()).toMatchObject({ a: "later", b: "1" }), { timeout: 5_000 });
		});

		it("20 % loss", { timeout: 60_000 }, async () => {
			const pair = await both();
			const since = performance.now();
			pair.caller.cable.loss = 0.2;
			await delay(all ? 10_000 : 1_000);
			report("20 % of packets lost", since, pair);
			expect(pair.caller.types()).not.toContain("interrupted");
			expect(pair.caller.gap(since)).toBeLessThan(0.5);
		});

		it.skipIf(start === embedded)(
			"UDP blocked from the beginning: TCP (needs a room server with ICE over TCP)",
			{ timeout: 60_000 },
			async () => {
				const room = `outage-${process.pid}-${++rooms}`;
				const caller = new Speaker();
				caller.cable.isCut = true;
				speakers.push(await caller.join(`ws://127.0.0.1:${proxy.port}`, room, "sip_caller", path));
				const other = await new Speaker().join(`ws://127.0.0.1:${server.port}`, room, "other", path);
				speakers.push(other);
				const since = performance.now();
				await hears(caller, since, 8_000);
				await hears(other, since, 8_000);
				report("UDP blocked before the call", performance.now(), { caller, other });
				expect(caller.closed).toBeUndefined();
			},
		);

		it.skipIf(start === embedded || !all)(
			"UDP blocked in the middle of the call: TCP (needs a room server with ICE over TCP, and the long runs)",
			{ timeout: 90_000 },
			async () => {
				const pair = await both();
				const since = performance.now();
				pair.caller.cable.isCut = true;
				await vi.waitFor(() => expect(pair.caller.types().join()).toContain("restored"), { timeout: 60_000, interval: 50 });
				await hears(pair.caller, performance.now(), 15_000);
				await hears(pair.other, performance.now(), 15_000);
				report("UDP blocked in the middle of the call", since, pair);
				expect(pair.caller.closed).toBeUndefined();
			},
		);

		it("removed: the session ends, and does not come back", { timeout: 30_000 }, async () => {
			const { caller, room } = await both();
			await api.removeParticipant(room, "sip_caller");
			await vi.waitFor(() => expect(caller.closed).toMatchObject({ reason: "removed" }), { timeout: 5_000 });
			expect(caller.types()).not.toContain("interrupted");
		});

		it("deleted room: the session ends", { timeout: 30_000 }, async () => {
			const { caller, other, room } = await both();
			await api.deleteRoom(room);
			for (const speaker of [caller, other])
				await vi.waitFor(() => expect(speaker.closed).toMatchObject({ reason: "room-deleted" }), { timeout: 5_000 });
		});
	});
