import type { SubscriptionPermission } from "@livekit/protocol";
import type { Participant, PublishedTrack, Subscribers } from "./participant.ts";

/**
 * What a publisher says about who may subscribe (`setTrackSubscriptionPermissions`), as LiveKit's server reads it: each time anew, "everybody" before all else, and
 * identities before sids. Undefined = everybody; "invalid" = somebody is not named, or by the identity of one and the sid of another.
 */
export function subscribersOf(
	{ allParticipants, trackPermissions }: SubscriptionPermission,
	participants: readonly Participant[],
): Subscribers | undefined | "invalid" {
	if (allParticipants) return undefined;
	const subscribers = new Map<string, "all" | ReadonlySet<string>>();
	for (const { participantIdentity, participantSid, allTracks, trackSids } of trackPermissions) {
		if (participantIdentity === "" && participantSid === "") return "invalid";
		const bySid = participantSid === "" ? undefined : participants.find(({ sid }) => sid === participantSid)?.identity;
		if (participantIdentity !== "" && bySid !== undefined && bySid !== participantIdentity) return "invalid";
		const identity = participantIdentity === "" ? bySid : participantIdentity;
		// who has left meanwhile needs no permission
		if (identity !== undefined) subscribers.set(identity, allTracks ? "all" : new Set(trackSids));
	}
	return subscribers;
}

/** As in LiveKit, what records a room is not asked: nobody could name it in advance. */
export function lets(track: PublishedTrack, subscriber: Participant): boolean {
	const { subscribers } = track.publisher;
	if (subscribers === undefined || subscriber.grants.kind === "egress") return true;
	const allowed = subscribers.get(subscriber.identity);
	return allowed === "all" || allowed?.has(track.info.sid) === true;
}
