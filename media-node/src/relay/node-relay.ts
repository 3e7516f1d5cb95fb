import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Address, Arrival, SipRequest } from "@trunkline/sip";
import { type DatagramTransport, openUdp } from "../transport/udp.ts";
import { FleetView, type FleetViewOptions, type PeerRegistry } from "./fleet-view.ts";
import { Relay, type RelayCounts, type RelayOptions } from "./relay.ts";
import { tagSuffix } from "./tag.ts";

export interface NodeRelaySettings {
	registry: PeerRegistry;
	/** private: only the fleet sends there */
	bindHost: string;
	/** UDP; 0 = any free one */
	port: number;
	/** where peers reach this node; unset = `bindHost` */
	address?: string;
	/** of the whole fleet */
	secret: Uint8Array;
	/** how often peers are looked at, ms */
	everyMs?: number;
}

type Owner = Pick<RelayOptions, "load" | "toSource" | "deliver" | "giveBack">;

/** A node's relay with its socket and its view of the fleet. */
export class NodeRelay {
	/** what is told to peers */
	readonly address: { address: string; port: number };
	readonly tagSuffix: string;
	readonly #socket: DatagramTransport;
	readonly #view: FleetView;
	readonly #relay: Relay;

	/** Undefined for a node whose name no tag can carry. Rejects with the system's error when the port cannot be had. */
	static async open(
		settings: NodeRelaySettings,
		node: Pick<FleetViewOptions, "nodeId" | "region" | "now" | "sleep" | "log">,
		owner: Owner,
	): Promise<NodeRelay | undefined> {
		const suffix = tagSuffix(node.nodeId);
		if (suffix === undefined) return undefined;
		let relay: NodeRelay | undefined;
		const socket = await openUdp(settings.bindHost, settings.port, {
			onMessage: (bytes, from) => relay?.received(bytes, from),
			// A peer that is gone leaves the view by itself.
			onUnreachable: () => {},
		});
		relay = new NodeRelay(settings, node, owner, socket, suffix);
		return relay;
	}

	private constructor(
		{ registry, bindHost, address = bindHost, secret, everyMs }: NodeRelaySettings,
		node: Pick<FleetViewOptions, "nodeId" | "region" | "now" | "sleep" | "log">,
		owner: Owner,
		socket: DatagramTransport,
		suffix: string,
	) {
		// The secret signs nonces too: neither says anything about the other.
		const key = createHmac("sha256", secret).update("trunkline relay 1").digest();
		this.tagSuffix = suffix;
		this.address = { address, port: socket.local.port };
		this.#socket = socket;
		this.#view = new FleetView({ registry, ...node, ...(everyMs === undefined ? {} : { everyMs }) });
		this.#relay = new Relay({
			...owner,
			nodeId: node.nodeId,
			region: node.region,
			own: this.address,
			mac: (bytes) => createHmac("sha256", key).update(bytes).digest(),
			peers: () => this.#view.peers,
			find: (nodeId) => this.#view.find(nodeId),
			now: node.now,
			toPeer: (bytes, { address: host, port }) => this.#socket.send(bytes, { host, port, transport: "UDP" }),
			log: node.log,
		});
	}

	get counts(): RelayCounts {
		return this.#relay.counts;
	}

	start(): void {
		this.#view.start();
	}

	handOver(request: SipRequest, arrival: Arrival): boolean {
		return this.#relay.handOver(request, arrival);
	}

	/** A response to what a peer had passed on goes back through it. */
	send(bytes: Uint8Array, to: Address): void {
		this.#relay.respond(bytes, to);
	}

	received(bytes: Uint8Array, from: Address): void {
		this.#relay.received(bytes, from);
	}

	async close(): Promise<void> {
		await Promise.all([this.#view.stop(), this.#socket.close()]);
	}
}

/** What a relay needs of its node, which opens later. */
export interface RelayedNode {
	load: RelayOptions["load"];
	toSource: RelayOptions["toSource"];
	/** into the SIP endpoint */
	passedOn(request: { bytes: Uint8Array; remote: Address; passedOnBy?: Address; last: "answer" | "silent" }): void;
}

/** Of a node's options. */
interface RelayingNode {
	relay?: Omit<NodeRelaySettings, "secret">;
	nonceSecret?: Uint8Array;
	region: string;
	/** ms since the epoch, as the fleet has it */
	sharedNow?(): number;
	log: FleetViewOptions["log"];
}

/** The relay of a node that is about to open; undefined without a registry or without the fleet's secret: nobody could tell its peers from strangers. */
export async function openRelay(
	{ relay, nonceSecret, region, sharedNow = Date.now, log }: RelayingNode,
	nodeId: string,
	node: () => RelayedNode | undefined,
): Promise<NodeRelay | undefined> {
	if (relay === undefined || nonceSecret === undefined) return undefined;
	return NodeRelay.open(
		{ ...relay, secret: nonceSecret },
		{ nodeId, region, now: sharedNow, sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}), log },
		{
			load: () => node()?.load() ?? { calls: 0, maxCalls: 0, full: false },
			toSource: (bytes, to) => node()?.toSource(bytes, to),
			deliver: (request) => node()?.passedOn(request),
			giveBack: (bytes, remote) => node()?.passedOn({ bytes, remote, last: "answer" }),
		},
	);
}
