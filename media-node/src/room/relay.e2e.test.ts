/** A node behind a firewall that lets nothing through but one way to a TURN server: both ends of a call hear each other's tone. */
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { ClientConfigSetting, ClientConfiguration, ICEServer } from "@livekit/protocol";
import { decodeG711, dominantTone, encodeG711, tone } from "@trunkline/audio";
import { RoomServer } from "@trunkline/room-server";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { TurnServer } from "@trunkline/testkit/turn-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { RoomEvent, RoomSession } from "../call/ports.ts";
import { LiveKitRoomConnector, type LiveKitRoomConnectorOptions } from "./livekit-room-connector.ts";
import type * as SignallingExports from "./signalling.ts";
import { joinToken } from "./token.ts";
import type * as UdpSocketExports from "./webrtc/udp-socket.ts";

/** For what is opened next: UDP ports that the firewall lets through, and what the room server says of relays. */
const firewall = vi.hoisted(() => ({
	lets: undefined as ((port: number) => boolean) | undefined,
	iceServers: [] as { urls: string[]; username: string; credential: string }[],
	forceRelay: false,
	blocked: 0,
}));

vi.mock("./webrtc/udp-socket.ts", async (importActual) => {
	const actual = await importActual<typeof UdpSocketExports>();
	return {
		openPeerSocket: async (address: string, onPacket: (packet: Buffer, address: string, port: number) => void) => {
			const { lets } = firewall;
			const socket = await actual.openPeerSocket(address, (packet, from, port) => {
				if (lets?.(port) !== false) onPacket(packet, from, port);
			});
			return {
				...{ port: socket.port, close: () => socket.close() },
				send: (packet: Uint8Array, port: number, to: string) => {
					if (lets?.(port) !== false) socket.send(packet, port, to);
					else firewall.blocked += 1;
				},
			};
		},
	};
});

vi.mock("./signalling.ts", async (importActual) => {
	const actual = await importActual<typeof SignallingExports>();
	const open: typeof actual.SignalConnection.open = (url, token, events, signal) => {
		const { iceServers, forceRelay } = firewall;
		const message: typeof events.message = (each) => {
			if (each.case === "join") {
				each.value.iceServers = iceServers.map((server) => new ICEServer(server));
				if (forceRelay) each.value.clientConfiguration = new ClientConfiguration({ forceRelay: ClientConfigSetting.ENABLED });
			}
			events.message(each);
		};
		return actual.SignalConnection.open(url, token, { ...events, message }, signal);
	};
	return { ...actual, SignalConnection: { open } };
});

const FRAME = 160;

class Talker {
	readonly events: RoomEvent[] = [];
	#heard: number[] = [];
	session: RoomSession | undefined;
	#timer: NodeJS.Timeout | undefined;

	async join(url: string, room: string, identity: string, hz: number, options: LiveKitRoomConnectorOptions): Promise<this> {
		const token = await joinToken({
			...{ apiKey: "devkey", apiSecret: "secret", room, identity, name: identity, metadata: "", attributes: {} },
		});
		this.session = await new LiveKitRoomConnector(options).join({
			...{ url, token, publishCodecs: ["PCMU"], trackName: identity },
			onEvent: (event) => {
				this.events.push(event);
				if (event.type !== "track-subscribed") return;
				event.track.onFrame(({ payload }) => {
					const pcm = new Int16Array(payload.length);
					decodeG711("PCMU", payload, pcm);
					this.#heard.push(...pcm);
				});
			},
		});
		const sound = tone(8_000, hz, 1_000);
		let count = 0;
		this.#timer = setInterval(() => {
			const payload = new Uint8Array(FRAME);
			encodeG711("PCMU", sound.subarray((count % 50) * FRAME, ((count % 50) + 1) * FRAME), payload);
			count += 1;
			this.session?.uplink.write({ codec: "PCMU", payload, sequence: count & 0xffff, timestamp: count * FRAME, marker: false }, 20);
		}, 20);
		return this;
	}

	/** Hz of what is heard from now on */
	async hears(): Promise<number> {
		this.#heard = [];
		const enough = (): void => {
			if (this.#heard.length <= 4_000) throw new Error(`only ${this.#heard.length} samples heard`);
		};
		await vi.waitFor(enough, { timeout: 8_000, interval: 20 });
		return dominantTone(Int16Array.from(this.#heard), 8_000)?.hz ?? 0;
	}

	async leave(): Promise<void> {
		clearInterval(this.#timer);
		await this.session?.close();
	}
}

let authority: TestAuthority;
let turn: TurnServer;
let room: RoomServer;
let url = "";
const trusted = getCACertificates();
const http = createHttpServer();
const talkers: Talker[] = [];
let calls = 0;

beforeAll(async () => {
	authority = await TestAuthority.create();
	room = new RoomServer({ apiKeys: { devkey: "secret" } });
	http.on("upgrade", (request, socket, head) => {
		if (!room.handleUpgrade(request, socket, head)) socket.destroy();
	});
	await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
	url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
beforeEach(async () => {
	turn = await TurnServer.start({ tls: await authority.issue({ dns: ["localhost"], ip: ["127.0.0.1"] }) });
	Object.assign(firewall, { lets: undefined, iceServers: [], forceRelay: false, blocked: 0 });
});
afterEach(async () => {
	await Promise.all(talkers.splice(0).map((talker) => talker.leave()));
	await turn.close();
	setDefaultCACertificates(trusted);
});
afterAll(async () => {
	await room.close();
	http.closeAllConnections();
	await new Promise((resolve) => http.close(resolve));
});

const serversOf = (...urls: string[]) => [{ urls, username: "user", credential: "password" }];
const byUdp = () => `turn:127.0.0.1:${turn.udpPort}?transport=udp`;
const byTcp = () => `turn:127.0.0.1:${turn.tcpPort}?transport=tcp`;
const byTls = () => `turns:localhost:${turn.tlsPort}?transport=tcp`;

/** The caller is behind the firewall as it is now, the other is not. */
async function call(options: LiveKitRoomConnectorOptions = {}): Promise<{ caller: Talker; other: Talker }> {
	const name = `relay-${process.pid}-${++calls}`;
	const caller = new Talker();
	talkers.push(caller);
	await caller.join(url, name, "sip_caller", 440, options);
	Object.assign(firewall, { lets: undefined, iceServers: [], forceRelay: false });
	const other = new Talker();
	talkers.push(other);
	await other.join(url, name, "other", 1_000, {});
	return { caller, other };
}

async function expectTones({ caller, other }: { caller: Talker; other: Talker }): Promise<void> {
	const [atCaller, atOther] = await Promise.all([caller.hears(), other.hears()]);
	expect(Math.abs(atCaller - 1_000)).toBeLessThan(5);
	expect(Math.abs(atOther - 440)).toBeLessThan(5);
}

describe.each(["single", "dual"] as const)("a call by a relay (%s)", (path) => {
	it.each(["UDP", "TCP", "TLS"] as const)(
		"TURN by %s is the only way out: both are heard, by a channel; it is given back",
		async (kind) => {
			setDefaultCACertificates([...trusted, authority.cert]);
			const server = turn;
			firewall.lets = (port) => port === server.udpPort;
			firewall.iceServers = serversOf({ UDP: byUdp, TCP: byTcp, TLS: byTls }[kind]());
			const talking = await call({ path });
			await expectTones(talking);
			expect(firewall.blocked).toBeGreaterThan(0);
			const { counts } = turn.core;
			expect(counts.channelData).toBeGreaterThan(20);
			expect(counts.toClient).toBeGreaterThan(20);
			expect(turn.core.live).toBe(path === "single" ? 1 : 2);
			await talking.caller.leave();
			expect([turn.core.live, counts.allocations - counts.released]).toEqual([0, 0]);
		},
	);
});

describe("relays", () => {
	it("a way without them: none is asked for", async () => {
		firewall.iceServers = serversOf(byUdp(), byTcp());
		await expectTones(await call());
		expect(turn.core.counts.allocations).toBe(0);
	});

	it("that the server forces are the only way, though another is open", async () => {
		const server = turn;
		firewall.lets = (port) => port === server.udpPort;
		Object.assign(firewall, { forceRelay: true, iceServers: serversOf(byUdp()) });
		await expectTones(await call());
		expect(turn.core.counts.channelData).toBeGreaterThan(20);
		// nothing was tried that would have been stopped
		expect(firewall.blocked).toBe(0);
	});

	it("at once: no call waits for UDP to lead nowhere", async () => {
		const server = turn;
		firewall.lets = (port) => port === server.udpPort;
		firewall.iceServers = serversOf(byUdp());
		const since = performance.now();
		await expectTones(await call({ relays: "at-once" }));
		expect(turn.core.counts.allocations).toBe(1);
		expect(performance.now() - since).toBeLessThan(5_000);
	});

	it("a certificate that nobody vouches for: no way", async () => {
		firewall.lets = () => false;
		firewall.iceServers = serversOf(byTls());
		await expect(call({ joinTimeoutMs: 3_000 })).rejects.toMatchObject({ name: "RoomJoinError" });
		expect(turn.core.counts.allocations).toBe(0);
	});

	it("forced, and none named: refused at once, in words", async () => {
		Object.assign(firewall, { forceRelay: true });
		await expect(call()).rejects.toThrow("relays alone are allowed, and the room server names none");
	});

	it("one that dies in the middle of a call: the call is interrupted, and goes on by another", { timeout: 40_000 }, async () => {
		const server = turn;
		firewall.lets = (port) => port === server.udpPort;
		firewall.iceServers = serversOf(byTcp());
		const talking = await call();
		await expectTones(talking);
		firewall.lets = (port) => port === server.udpPort;
		firewall.iceServers = serversOf(byTcp());
		turn.cut();
		await vi.waitFor(() => expect(talking.caller.events.some(({ type }: RoomEvent) => type === "restored")).toBe(true), {
			timeout: 20_000,
		});
		await expectTones(talking);
	});
});
