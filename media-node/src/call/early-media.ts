import type { TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import type { InboundInvite, RoomSession, SipLegEvent } from "./ports.ts";
import type { CallEvent, CallState, Decision, EarlyMedia, Effect, Step } from "./state.ts";

export const earlyToRoom = (settings: TrunkSettings | undefined): { early?: EarlyMedia } =>
	effectiveSettings(settings).earlyMedia.toRoom ? { early: "wanted" } : {};

export const earlyFromRoom = (settings: TrunkSettings | undefined): { early?: EarlyMedia } =>
	effectiveSettings(settings).earlyMedia.fromRoom ? { early: "wanted" } : {};

/** Our 1xx are reliable (RFC 3262): the INVITE insists, or it may be and the trunk wants it. */
export function ringsReliably({ reliable }: InboundInvite, settings: TrunkSettings | undefined): boolean {
	return reliable === "required" || (reliable === "supported" && effectiveSettings(settings).reliableProvisional === "required");
}

/** What the trunk says of provisional responses against what the INVITE asks for. */
export function provisionally(decision: Decision, invite: InboundInvite): Decision {
	if (decision.kind !== "accept") return decision;
	const { settings } = decision;
	// A 183 cannot answer an offer that is still to come: an INVITE without SDP gets ours in the 200, unless in a reliable 1xx (RFC 3261 §13.2.1).
	if (invite.sdp === undefined && !ringsReliably(invite, settings))
		return {
			...decision,
			...(settings === undefined ? {} : { settings: { ...settings, earlyMedia: { ...settings.earlyMedia, fromRoom: false } } }),
		};
	if (invite.reliable !== "required" || effectiveSettings(settings).reliableProvisional !== "off") return decision;
	// RFC 3261 §8.2.2.3: an extension that we do not have here → 420 with Unsupported.
	return {
		kind: "reject",
		status: 420,
		reason: "Bad Extension",
		headers: [["Unsupported", "100rel"]],
		end: {
			by: "node",
			reason: "rejected",
			message: "the caller requires reliable provisional responses (100rel), which the trunk has off",
		},
	};
}

/** Inbound, once room and media are there: 183 with SDP, and ringback until the room has something to say. */
export function lendRoom({ state, effects }: Step): Step {
	const waits = state.phase === "preparing" || state.phase === "ringing";
	if (state.early !== "wanted" || !waits || !state.mediaOpen || !state.roomJoined) return { state, effects };
	const more: Effect[] = [{ do: "early-media" }, { do: "speak" }];
	// Without it the caller, whose telephone stops its own ringback at the first packet (RFC 3960 §3.2), would wait in silence.
	if (state.roomAudio !== true) more.push({ do: "dialtone", on: true });
	more.push({ do: "record", from: ["received", "ringing"], to: "ringing", event: "early-media" });
	return { state: { ...state, early: "begun" }, effects: [...effects, ...more] };
}

/** An ingress or egress has audio without anybody who listens. */
export function canHear(room: RoomSession | undefined, identity: string): boolean {
	const kind = room?.participants().find((other) => other.identity === identity)?.kind;
	return kind !== "ingress" && kind !== "egress";
}

/** Inbound: the room has audio from somebody who cannot hear (an ingress): no reason to answer, but to be heard. */
export function roomPlays(state: CallState): Step {
	const effects: Effect[] = state.early === "begun" ? [{ do: "dialtone", on: false }] : [];
	return { state: { ...state, roomAudio: true }, effects };
}

/** Outbound, before the answer; undefined: the event has nothing to do with early media. */
export function earlyOutbound(state: CallState, event: CallEvent): Step | undefined {
	if (event.type === "early-media") {
		if (state.early !== "wanted") return { state, effects: [] };
		const effects: Effect[] = [{ do: "listen" }, { do: "record", from: ["dialing", "ringing"], to: "ringing", event: "early-media" }];
		return { state: { ...state, early: "begun" }, effects };
	}
	// Our own ringback goes on until there is something to hear in its place.
	if (event.type === "media-started" && state.early === "begun")
		return { state: { ...state, mediaStarted: true }, effects: [{ do: "ringback", on: false }] };
	return undefined;
}

type Provisional = Extract<SipLegEvent, { type: "provisional" }>;

/** A peer that invents more forks than this gets no more memory; the endpoint keeps no more dialogs either. */
const MAX_FORKS = 16;

/** SDP answers that came before the 200, by fork (RFC 3261 §13.2.1: "the UAC MUST treat the first session description it receives as the answer"). */
export class EarlyAnswers {
	readonly #answers = new Map<string, string>();

	/** The answer in a 1xx when it is news: 183s are repeated. */
	take({ status, sdp, remoteTag }: Provisional): string | undefined {
		// RFC 6228: the fork has failed.
		if (status === 199) this.#answers.delete(remoteTag);
		if (status === 199 || sdp === undefined || remoteTag === "" || this.#answers.get(remoteTag) === sdp) return undefined;
		if (this.#answers.size >= MAX_FORKS && !this.#answers.has(remoteTag)) return undefined;
		this.#answers.set(remoteTag, sdp);
		return sdp;
	}

	/** Of the fork that has answered; its 200 need not repeat what a reliable 1xx said. */
	of(remoteTag: string): string | undefined {
		return this.#answers.get(remoteTag);
	}
}
