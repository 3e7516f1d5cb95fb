import { SubscriptionPermission } from "@livekit/protocol";
import { describe, expect, it } from "vitest";
import type { Participant } from "./participant.ts";
import { subscribersOf } from "./subscription-permission.ts";

const present = [
	{ identity: "bob", sid: "PA_b" },
	{ identity: "carol", sid: "PA_c" },
] as unknown as Participant[];

describe("what a publisher says about who may subscribe", () => {
	it.each<[string, ConstructorParameters<typeof SubscriptionPermission>[0], unknown]>([
		["everybody, whoever else is named", { allParticipants: true, trackPermissions: [{ participantIdentity: "bob" }] }, undefined],
		["nobody", {}, new Map()],
		[
			"all tracks to one who is not there yet",
			{ trackPermissions: [{ participantIdentity: "dan", allTracks: true }] },
			new Map([["dan", "all"]]),
		],
		["one track, by sid", { trackPermissions: [{ participantSid: "PA_c", trackSids: ["TR_1"] }] }, new Map([["carol", new Set(["TR_1"])]])],
		["to a sid that has left", { trackPermissions: [{ participantSid: "PA_gone", allTracks: true }] }, new Map()],
		["to no one in particular", { trackPermissions: [{ allTracks: true }] }, "invalid"],
		["to one by another's sid", { trackPermissions: [{ participantIdentity: "bob", participantSid: "PA_c", allTracks: true }] }, "invalid"],
	])("%s", (_what, permission, read) => {
		expect(subscribersOf(new SubscriptionPermission(permission), present)).toEqual(read);
	});
});
