import { createHash, createHmac, randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { RoomConfiguration } from "@livekit/protocol";
import { newId } from "@trunkline/contracts";
import type { CallStore, ConfigStore, DialQueue } from "@trunkline/domain";
import type { Hashes } from "@trunkline/sip";
import { decideWith } from "./call/decide.ts";
import { InboundCall } from "./call/inbound-call.ts";
import { OutboundCall } from "./call/outbound-call.ts";
import { outboundPlan } from "./call/outbound-plan.ts";
import type { LiveCall, RoomConnector } from "./call/ports.ts";
import type { CallDeps, CallLog } from "./call/runner.ts";
import { systemClock } from "./health/clock.ts";
import { RtpMediaPort } from "./media/media-port.ts";
import { LiveKitRoomConnector } from "./room/livekit-room-connector.ts";
import { joinToken } from "./room/token.ts";
import { type DatagramTransport, openUdp } from "./transport/udp.ts";
import { SipUserAgent } from "./ua/user-agent.ts";
import { Intake } from "./worker/intake.ts";

export interface MediaNodeOptions {
	nodeId?: string;
	region: string;
	projectId: string;
	sip: { bindHost: string; port: number; advertisedHost: string };
	rtp: { bindHost: string; advertisedAddress: string; portRange: readonly [number, number] };
	livekit: { url: string; apiKey: string; apiSecret: string };
	configStore: ConfigStore;
	callStore: CallStore;
	dialQueue: DialQueue;
	/** false = LiveKit's behaviour: a rule without trunks takes calls that passed no trunk */
	strictDispatch: boolean;
	/** calls at a time; above it new ones get 503 */
	maxCalls: number;
	mediaTimeoutMs?: { first: number; later: number };
	/** signs digest nonces; the same on every node of a fleet */
	nonceSecret?: Uint8Array;
	log: CallLog;
	rooms?: RoomConnector;
}

export interface NodeStats {
	calls: number;
	transactions: number;
	dialogs: number;
	legs: number;
	rtpPorts: number;
}

/** One media node: SIP, RTP, rooms and the calls between them. Built here and nowhere else. */
export class MediaNode {
	readonly nodeId: string;
	readonly #options: MediaNodeOptions;
	readonly #calls = new Map<string, LiveCall>();
	readonly #media: RtpMediaPort;
	readonly #userAgent: SipUserAgent;
	readonly #transport: DatagramTransport;
	readonly #intake: Intake;
	#draining = false;
	#emptied: (() => void) | undefined;

	/** Binds the SIP port; rejects with the system's error when it cannot be had. */
	static async start(options: MediaNodeOptions): Promise<MediaNode> {
		let node: MediaNode | undefined;
		const transport = await openUdp(options.sip.bindHost, options.sip.port, {
			onMessage: (bytes, remote) => {
				if (node !== undefined) node.#userAgent.received(bytes, remote);
			},
			onUnreachable: (remote, message) => {
				if (node !== undefined) node.#userAgent.unreachable(remote, message);
			},
		});
		node = new MediaNode(options, transport);
		node.#intake.start();
		return node;
	}

	private constructor(options: MediaNodeOptions, transport: DatagramTransport) {
		this.nodeId = options.nodeId ?? newId("ND_", randomBytes);
		this.#options = options;
		this.#transport = transport;
		this.#media = new RtpMediaPort({
			bindHost: options.rtp.bindHost,
			advertisedAddress: options.rtp.advertisedAddress,
			portRange: options.rtp.portRange,
		});
		const clock = systemClock();
		const { log } = options;
		const { url: roomUrl, apiKey, apiSecret } = options.livekit;
		const deps: CallDeps = {
			clock,
			media: this.#media,
			rooms: options.rooms ?? new LiveKitRoomConnector(),
			calls: options.callStore,
			roomUrl,
			token: ({ roomName, roomConfig, ...identity }) =>
				joinToken({
					apiKey,
					apiSecret,
					room: roomName,
					...identity,
					...(roomConfig === undefined
						? {}
						: { roomConfig: RoomConfiguration.fromJson(roomConfig as JsonValue, { ignoreUnknownFields: true }) }),
				}),
			nodeId: this.nodeId,
			region: options.region,
			mediaTimeoutMs: options.mediaTimeoutMs ?? { first: 30_000, later: 15_000 },
			random: randomBytes,
			log,
			onOver: (callId) => this.#onOver(callId),
		};
		const decide = decideWith({
			configStore: options.configStore,
			callStore: options.callStore,
			projectId: options.projectId,
			strict: options.strictDispatch,
			hashes,
			nonceSecret: options.nonceSecret ?? randomBytes(32),
			random: randomBytes,
			now: clock.now,
		});
		this.#userAgent = new SipUserAgent({
			endpoint: {
				userAgent: "Trunkline",
				contact: { host: options.sip.advertisedHost, port: transport.local.port },
				random: randomBytes,
				hashes,
			},
			clock,
			lookup: async (host) => (await lookup(host)).address,
			send: (bytes, to) => transport.send(bytes, to),
			onInvite: (invite, request, leg) => {
				const call = new InboundCall(newId("SCL_", randomBytes), deps, invite, leg, (given, callId) => decide(given, request, callId));
				this.#run(call);
				return (event) => call.onLeg(event);
			},
			refusal: () => this.#refusal(),
			log,
		});
		this.#intake = new Intake({
			queue: options.dialQueue,
			calls: options.callStore,
			nodeId: this.nodeId,
			region: options.region,
			room: () => (this.#draining ? 0 : options.maxCalls - this.#calls.size),
			run: (record, dialled) => this.#run(new OutboundCall(deps, record, outboundPlan(record), this.#userAgent, dialled)),
			now: clock.now,
			sleep: async (ms, signal) => {
				await delay(ms, undefined, { signal }).catch(() => {});
			},
			log,
		});
	}

	get sipPort(): number {
		return this.#transport.local.port;
	}

	stats(): NodeStats {
		return { calls: this.#calls.size, rtpPorts: this.#media.portsInUse, ...this.#userAgent.stats() };
	}

	/** Hangs up every call, waits up to `withinMs` for their BYEs and records, then closes everything. Idempotent. */
	async close(withinMs: number): Promise<void> {
		if (this.#draining) return;
		this.#draining = true;
		const intake = this.#intake.stop();
		const empty = new Promise<void>((resolve) => {
			this.#emptied = resolve;
			if (this.#calls.size === 0) resolve();
		});
		for (const call of [...this.#calls.values()]) call.dispatch({ type: "shutdown" });
		await Promise.race([empty, delay(withinMs, undefined, { ref: false })]);
		await Promise.race([intake, delay(500, undefined, { ref: false })]);
		this.#userAgent.close();
		await this.#transport.close();
	}

	#run(call: LiveCall): void {
		this.#calls.set(call.callId, call);
		call.dispatch({ type: "start" });
	}

	#onOver(callId: string): void {
		this.#calls.delete(callId);
		if (this.#calls.size === 0) this.#emptied?.();
	}

	#refusal(): { reason: string; retryAfterSeconds: number } | undefined {
		if (this.#draining) return { reason: "Shutting Down", retryAfterSeconds: 30 };
		if (this.#calls.size >= this.#options.maxCalls) return { reason: "At Capacity", retryAfterSeconds: 10 };
		return undefined;
	}
}

const hashes: Hashes = {
	md5: (bytes) => createHash("md5").update(bytes).digest(),
	sha256: (bytes) => createHash("sha256").update(bytes).digest(),
	hmacSha256: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
};
