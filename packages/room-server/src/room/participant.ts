import {
	type ClientInfo_Capability,
	type DisconnectReason,
	ParticipantInfo,
	ParticipantInfo_Kind,
	ParticipantInfo_State,
	ParticipantPermission,
	type SignalResponse,
	type TrackInfo,
	type TrackSource,
} from "@livekit/protocol";
import { newSid } from "../ids.ts";
import type { MediaSource } from "../media/forwarding.ts";
import type { Grants, ParticipantKind } from "../tokens.ts";
import type { DataKind } from "../transport/data-channels.ts";
import type { RpcCall } from "./rpc.ts";

export type SignalMessage = SignalResponse["message"];

/** A participant's connection as the room sees it. The room calls it, it never reaches through to sockets. */
export interface ParticipantLink {
	send(message: SignalMessage): void;
	/** forward this track to the participant from now on */
	subscribe(track: PublishedTrack): void;
	unsubscribe(trackSid: string): void;
	sendData(kind: DataKind, packet: Uint8Array): void;
	/** tell the client why, then close everything */
	disconnect(reason: DisconnectReason): void;
	/** what the participant's token says is no longer so: the client is given another */
	claimsChanged(): void;
	/** the participant is in the room of this name now, where its client comes back with `token` */
	moved(room: string, token: string): void;
	/** a token for this participant in a room of this name */
	tokenFor(room: string): Promise<string>;
	/** has the client carry out an RPC; rejects with RpcFailure */
	performRpc(call: RpcCall): Promise<string>;
}

export interface PublishedTrack {
	readonly info: TrackInfo;
	readonly publisher: Participant;
	readonly source: MediaSource;
	/** somebody has been subscribed; the publisher hears of the first one only */
	subscribedOnce: boolean;
}

/** Whom a publisher lets subscribe to which of its tracks: by identity, all of them or those with these sids. */
export type Subscribers = ReadonlyMap<string, "all" | ReadonlySet<string>>;

const kinds: Record<ParticipantKind, ParticipantInfo_Kind> = {
	standard: ParticipantInfo_Kind.STANDARD,
	ingress: ParticipantInfo_Kind.INGRESS,
	egress: ParticipantInfo_Kind.EGRESS,
	sip: ParticipantInfo_Kind.SIP,
	agent: ParticipantInfo_Kind.AGENT,
	connector: ParticipantInfo_Kind.CONNECTOR,
	bridge: ParticipantInfo_Kind.BRIDGE,
};

export interface ParticipantOptions {
	grants: Grants;
	link: ParticipantLink;
	/** Unix time, ms */
	joinedAt: number;
	autoSubscribe: boolean;
	clientProtocol: number;
	/** what the client says it can do; others ask it */
	capabilities?: readonly ClientInfo_Capability[];
}

/** far more than there are */
const MAX_CAPABILITIES = 32;

/** Who somebody is in a room: identity, what they may do, what they publish and hear. */
export class Participant {
	readonly sid = newSid("PA");
	readonly identity: string;
	readonly grants: Grants;
	readonly link: ParticipantLink;
	readonly autoSubscribe: boolean;
	state = ParticipantInfo_State.JOINING;
	name: string;
	metadata: string;
	readonly attributes: Record<string, string>;
	/** by track sid */
	readonly tracks = new Map<string, PublishedTrack>();
	/** track sids this participant hears */
	readonly subscriptions = new Set<string>();
	/** track sids that this participant would hear if their publishers let it */
	readonly withheld = new Set<string>();
	/** who may hear its tracks; undefined = everybody */
	subscribers: Subscribers | undefined;
	readonly #joinedAt: number;
	readonly #clientProtocol: number;
	readonly #capabilities: readonly ClientInfo_Capability[];
	#version = 0;

	constructor(options: ParticipantOptions) {
		this.grants = options.grants;
		this.identity = options.grants.identity;
		this.name = options.grants.name;
		this.metadata = options.grants.metadata;
		this.attributes = { ...options.grants.attributes };
		this.link = options.link;
		this.autoSubscribe = options.autoSubscribe;
		this.#joinedAt = options.joinedAt;
		this.#clientProtocol = options.clientProtocol;
		this.#capabilities = (options.capabilities ?? []).slice(0, MAX_CAPABILITIES);
	}

	get active(): boolean {
		return this.state === ParticipantInfo_State.ACTIVE;
	}

	/** Something others see has changed; clients drop infos older than what they have. */
	touch(): void {
		this.#version++;
	}

	mayPublish(source: TrackSource): boolean {
		const { canPublish, canPublishSources } = this.grants;
		return canPublish && (canPublishSources.length === 0 || canPublishSources.includes(source));
	}

	/** What a token says that this participant comes back with: all as it is by now. */
	claims(): Grants {
		return { ...this.grants, name: this.name, metadata: this.metadata, attributes: { ...this.attributes } };
	}

	/** Non-empty values replace, as in LiveKit; an attribute set to "" is deleted. */
	update(change: { name: string; metadata: string; attributes: Record<string, string> }): void {
		if (change.name !== "") this.name = change.name;
		if (change.metadata !== "") this.metadata = change.metadata;
		for (const [key, value] of Object.entries(change.attributes)) {
			if (value === "") delete this.attributes[key];
			else this.attributes[key] = value;
		}
		this.touch();
	}

	toInfo(disconnectReason?: DisconnectReason): ParticipantInfo {
		const { grants } = this;
		return new ParticipantInfo({
			sid: this.sid,
			identity: this.identity,
			state: this.state,
			tracks: [...this.tracks.values()].map((track) => track.info),
			metadata: this.metadata,
			joinedAt: BigInt(Math.floor(this.#joinedAt / 1000)),
			joinedAtMs: BigInt(this.#joinedAt),
			name: this.name,
			version: this.#version,
			permission: new ParticipantPermission({
				canSubscribe: grants.canSubscribe,
				canPublish: grants.canPublish,
				canPublishData: grants.canPublishData,
				canPublishSources: grants.canPublishSources,
				canUpdateMetadata: grants.canUpdateOwnMetadata,
				hidden: grants.hidden,
				agent: grants.kind === "agent",
			}),
			isPublisher: this.tracks.size > 0,
			kind: kinds[grants.kind],
			attributes: { ...this.attributes },
			clientProtocol: this.#clientProtocol,
			capabilities: [...this.#capabilities],
			...(disconnectReason === undefined ? {} : { disconnectReason }),
		});
	}
}
