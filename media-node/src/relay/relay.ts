import { type Address, type Arrival, LIMITS, parseMessage, type SipRequest, writeMessage } from "@trunkline/sip";
import type { Mac } from "./keys.ts";
import { mark, readMarked } from "./marker.ts";
import { betterPlace, type OwnLoad, type RelayPeer } from "./share.ts";
import { nodeOfTag } from "./tag.ts";
import { branchOf, withOurVia, withoutOurVia } from "./via.ts";

export interface RelayOptions {
	nodeId: string;
	region: string;
	/** where this node takes what others pass on */
	own: { address: string; port: number };
	mac: Mac;
	/** live nodes of this region but this one, as they were last seen */
	peers(): readonly RelayPeer[];
	/** the same, asked anew; undefined: there is none, or it does not live */
	find(nodeId: string): Promise<RelayPeer | undefined>;
	load(): OwnLoad;
	/** ms since the epoch */
	now(): number;
	toPeer(bytes: Uint8Array, to: { address: string; port: number }): void;
	/** a response goes back to where the request came from */
	toSource(bytes: Uint8Array, to: Address): void;
	/** a request for this node, that `passedOnBy` had from `remote` */
	deliver(request: { bytes: Uint8Array; remote: Address; passedOnBy: Address; last: "answer" | "silent" }): void;
	/** a request that nobody has after all */
	giveBack(bytes: Uint8Array, remote: Address): void;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

export interface RelayCounts {
	/** new calls that a peer got instead of this node */
	relayedCalls: number;
	/** requests of calls that other nodes have */
	relayedRequests: number;
	/** what came to this node from peers */
	relayedHere: number;
	/** datagrams that no peer had sealed */
	relayRefused: number;
}

/** RFC 3261 §17.1.1.2, Timer B: copies of an INVITE, its CANCEL and the ACK of its refusal come within this, or while it rings. */
const REMEMBERED_MS = 200_000;
const MAX_REMEMBERED = 20_000;
/** A CANCEL whose INVITE went to nobody knows whom is shown to so many. */
const MAX_ASKED = 16;
/** Anybody can write a CANCEL of an INVITE that there never was: not each is worth a packet to every peer. Those that are real and came astray are few. */
const ASKED_PER_SECOND = 50;
/** Names that nobody of the fleet has cost a read each: so many at a time. */
const MAX_LOOKUPS = 20;
/** Below the most that one datagram carries, with room for what we add. */
const MAX_BYTES = 60_000;

/** By what the way back through a peer is known: the name of its "connection", with the peer's Via after it. */
export const RELAY_CONNECTION = "relay ";

/**
 * Passes requests on between the nodes of one region: new calls of a node that has more than its share, and requests of dialogs that another node has. A stateless
 * proxy (RFC 3261 §16.11) of one hop: what came from a peer is never passed on again. The one thing that it remembers is which peer got an INVITE, so that each copy
 * of it, and its CANCEL, goes the same way whatever the loads are by then.
 */
export class Relay {
	readonly counts: RelayCounts = { relayedCalls: 0, relayedRequests: 0, relayedHere: 0, relayRefused: 0 };
	readonly #options: RelayOptions;
	/** by branch: who got the INVITE */
	readonly #sent = new Map<string, { peer: RelayPeer; until: number }>();
	/** by node: when it got calls that it has not told of yet, ms since the epoch */
	readonly #given = new Map<string, number[]>();
	#lookups = 0;
	readonly #asked = { second: 0, count: 0 };

	constructor(options: RelayOptions) {
		this.#options = options;
	}

	/** `SipEndpoint`'s `handOver`: true when a peer gets the request. */
	handOver(request: SipRequest, arrival: Arrival): boolean {
		switch (arrival.found) {
			case "invite":
				return this.#newCall(request, arrival);
			case "stray":
				return this.#ofOtherNode(request, arrival);
			case "cancel":
				return this.#cancel(request, arrival);
		}
	}

	/** From the socket that peers send to. */
	received(bytes: Uint8Array, from: { host: string; port: number }): void {
		if (bytes.length > LIMITS.message + 4_096) return;
		const marked = readMarked(bytes, this.#options.now(), this.#options.mac);
		if (marked !== undefined) {
			this.#fromPeer(marked, from);
			return;
		}
		const parsed = parseMessage(bytes);
		const back = parsed.ok && parsed.message.kind === "response" ? withoutOurVia(parsed.message, this.#options.mac) : undefined;
		if (back === undefined) {
			this.counts.relayRefused += 1;
			return;
		}
		this.#options.toSource(writeMessage(back.response), back.to);
	}

	/** A response to what a peer had passed on goes back through it, with its Via on top again. `to` is as `deliver` gave it. */
	respond(bytes: Uint8Array, to: Address): void {
		const parsed = parseMessage(bytes);
		const via = to.connection?.slice(RELAY_CONNECTION.length) ?? "";
		if (!parsed.ok || parsed.message.kind !== "response" || via === "") return;
		const headers = [{ name: "Via", key: "via", value: via }, ...parsed.message.headers];
		this.#options.toPeer(writeMessage({ ...parsed.message, headers }), { address: to.host, port: to.port });
	}

	/** The peer's Via is taken off: here the request is what it would be had it come by itself, so that a CANCEL finds its INVITE whichever way each of them took. */
	#fromPeer({ request, origin }: NonNullable<ReturnType<typeof readMarked>>, from: { host: string; port: number }): void {
		const parsed = parseMessage(request);
		const [via, ...headers] = parsed.ok ? parsed.message.headers : [];
		if (!parsed.ok || parsed.message.kind !== "request" || via?.key !== "via") {
			this.counts.relayRefused += 1;
			return;
		}
		const { host, port, transport, silent } = origin;
		this.counts.relayedHere += 1;
		this.#options.deliver({
			bytes: writeMessage({ ...parsed.message, headers }),
			remote: { host, port, transport },
			passedOnBy: { ...from, transport: "UDP", connection: RELAY_CONNECTION + via.value },
			last: silent ? "silent" : "answer",
		});
	}

	#newCall(request: SipRequest, arrival: Arrival): boolean {
		const sent = this.#sent.size === 0 ? undefined : this.#peerOf(branchOf(arrival, this.#options.mac));
		// Copies come for as long as nobody has answered: one that is dead by now never did.
		const before = this.#options.peers().find(({ nodeId }) => nodeId === sent?.nodeId);
		const peer = before ?? betterPlace(this.#options.load(), this.#peers());
		if (peer === undefined || !this.#pass(request, arrival, peer, false)) return false;
		if (before === undefined) {
			this.#remember(branchOf(arrival, this.#options.mac), peer);
			this.#given.set(peer.nodeId, [...(this.#given.get(peer.nodeId) ?? []), this.#options.now()]);
			this.counts.relayedCalls += 1;
		}
		return true;
	}

	/** In a dialog: the tag is ours in form, and names its node. */
	#ofOtherNode(request: SipRequest, arrival: Arrival): boolean {
		const nodeId = nodeOfTag(arrival.toTag);
		if (nodeId === undefined || nodeId === this.#options.nodeId) return false;
		const peer = this.#options.peers().find((one) => one.nodeId === nodeId);
		if (peer !== undefined) return this.#passStray(request, arrival, peer);
		if (this.#lookups >= MAX_LOOKUPS) return false;
		this.#lookups += 1;
		this.#options
			.find(nodeId)
			.catch((error: unknown) => {
				this.#options.log.warn({ err: error, nodeId }, "a node could not be looked up");
				return undefined;
			})
			.then((found) => {
				this.#lookups -= 1;
				const isPeer = found !== undefined && found.region === this.#options.region;
				// RFC 3261 §12.2.2: of a node that is gone the dialog is gone.
				if (!isPeer || !this.#passStray(request, arrival, found)) this.#options.giveBack(writeMessage(request), arrival.remote);
			})
			.catch((error: unknown) => this.#options.log.warn({ err: error, nodeId }, "a request could not be passed on"));
		return true;
	}

	/** It has no tag of ours (RFC 3261 §9.1): who got its INVITE is remembered, or everybody is asked and one of them answers. */
	#cancel(request: SipRequest, arrival: Arrival): boolean {
		const known = this.#peerOf(branchOf(arrival, this.#options.mac));
		if (known !== undefined) return this.#passStray(request, arrival, known);
		const peers = this.#options.peers();
		if (peers.length === 0 || peers.length > MAX_ASKED || !this.#mayAsk()) return false;
		let passed = false;
		for (const peer of peers) passed = this.#pass(request, arrival, peer, true) || passed;
		if (passed) this.counts.relayedRequests += 1;
		return passed;
	}

	#mayAsk(): boolean {
		const second = Math.floor(this.#options.now() / 1_000);
		if (second !== this.#asked.second) Object.assign(this.#asked, { second, count: 0 });
		this.#asked.count += 1;
		return this.#asked.count <= ASKED_PER_SECOND;
	}

	#passStray(request: SipRequest, arrival: Arrival, peer: RelayPeer): boolean {
		const passed = this.#pass(request, arrival, peer, false);
		if (passed) this.counts.relayedRequests += 1;
		return passed;
	}

	#pass(request: SipRequest, arrival: Arrival, peer: RelayPeer, silent: boolean): boolean {
		const { own, mac, now, toPeer } = this.#options;
		const passedOn = withOurVia(request, arrival, own, mac);
		if (passedOn === undefined || request.body.length > MAX_BYTES) return false;
		const { host, port, transport } = arrival.remote;
		const bytes = mark(writeMessage(passedOn), { host, port, transport, silent, at: Math.floor(now()) }, mac);
		if (bytes.length > MAX_BYTES) return false;
		toPeer(bytes, peer.relay);
		return true;
	}

	/** As they told, and what they got from here since: a view that is read anew has the same heartbeat twice and more. */
	#peers(): readonly RelayPeer[] {
		const peers = this.#options.peers();
		const given = new Map(this.#given);
		this.#given.clear();
		return peers.map((peer) => {
			const untold = (given.get(peer.nodeId) ?? []).filter((at) => at >= peer.heartbeatAt);
			if (untold.length === 0) return peer;
			this.#given.set(peer.nodeId, untold);
			return { ...peer, calls: peer.calls + untold.length };
		});
	}

	#peerOf(branch: string): RelayPeer | undefined {
		const sent = this.#sent.get(branch);
		return sent !== undefined && sent.until > this.#options.now() ? sent.peer : undefined;
	}

	#remember(branch: string, peer: RelayPeer): void {
		const now = this.#options.now();
		for (const [old, { until }] of this.#sent) {
			if (until > now && this.#sent.size < MAX_REMEMBERED) break;
			this.#sent.delete(old);
		}
		this.#sent.set(branch, { peer, until: now + REMEMBERED_MS });
	}
}
