import type { CallEnd, EndReason } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import { describeEnd, disconnectReason, endReasonForSipStatus, errorCodeForSipStatus, errorForCallEnd } from "./sip-status.ts";

describe("errorCodeForSipStatus", () => {
	const table = {
		invalid_argument:
			"300 305 380 400 405 406 411 413 414 415 417 420 421 422 423 424 425 429 430 439 469 484 485 488 489 493 505 513 606 499 699",
		not_found: "301 302 404 410 481 604",
		permission_denied: "401 402 403 433 470 603 607 608",
		unauthenticated: "407 428 436 437 438 494",
		deadline_exceeded: "408 504",
		resource_exhausted: "440 480 486 600",
		failed_precondition: "409 412 482 483 500 501 502 503 599",
		aborted: "487 491",
		out_of_range: "416",
	};
	test.each(Object.entries(table).flatMap(([code, statuses]) => statuses.split(" ").map((status) => [Number(status), code] as const)))(
		"%i is %s",
		(status, code) => expect(errorCodeForSipStatus(status)).toBe(code),
	);
});

describe("errorForCallEnd", () => {
	test("a SIP status is told in message and meta", () => {
		const error = errorForCallEnd({ by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" }, true);
		expect(error).toMatchObject({
			code: "resource_exhausted",
			message: "twirp error unknown: INVITE failed: sip status: 486: Busy Here",
			meta: { sip_status_code: "486", sip_status: "Busy Here" },
		});
	});
	test.each<[EndReason, boolean, string, string]>([
		["no-answer", true, "canceled", "sip request timed out"],
		["peer-gone", true, "canceled", "transaction failed to complete"],
		["not-claimed", false, "unavailable", "no response from servers"],
		["room-failed", false, "unavailable", "in words"],
		["internal-error", false, "internal", "in words"],
		["internal-error", true, "failed_precondition", "in words"],
		["shutdown", true, "failed_precondition", "in words"],
		["media-mismatch", true, "failed_precondition", "in words"],
		["unauthorized", true, "failed_precondition", "in words"],
	])("%s, dialled: %s", (reason, dialled, code, text) => {
		expect(errorForCallEnd({ by: "node", reason, message: "in words" }, dialled)).toMatchObject({
			code,
			message: `twirp error unknown: ${text}`,
			meta: { end_reason: reason },
		});
	});
});

test.each<[Partial<CallEnd>, string]>([
	[{ reason: "rejected", sipStatus: 404 }, "USER_UNAVAILABLE"],
	[{ reason: "no-answer", sipStatus: 408 }, "USER_UNAVAILABLE"],
	[{ reason: "no-answer", sipStatus: 480 }, "USER_UNAVAILABLE"],
	[{ reason: "no-answer" }, "USER_UNAVAILABLE"],
	[{ reason: "unauthorized", sipStatus: 401 }, "USER_REJECTED"],
	[{ reason: "rejected", sipStatus: 403 }, "USER_REJECTED"],
	[{ reason: "unauthorized", sipStatus: 407 }, "USER_REJECTED"],
	[{ reason: "busy", sipStatus: 486 }, "USER_REJECTED"],
	[{ reason: "declined", sipStatus: 603 }, "USER_REJECTED"],
	[{ reason: "rejected", sipStatus: 499 }, "USER_REJECTED"],
	[{ reason: "rejected", sipStatus: 503 }, "SIP_TRUNK_FAILURE"],
	[{ reason: "hangup" }, "CLIENT_INITIATED"],
	[{ reason: "media-timeout" }, "MEDIA_FAILURE"],
	[{ reason: "internal-error" }, "UNKNOWN_REASON"],
])("disconnectReason(%j) is %s", (end, expected) => expect(disconnectReason({ by: "peer", reason: "hangup", ...end })).toBe(expected));

test.each([
	[486, "busy"],
	[600, "busy"],
	[603, "declined"],
	[480, "no-answer"],
	[487, "cancelled"],
	[404, "not-found"],
	[407, "unauthorized"],
	[488, "media-mismatch"],
	[503, "rejected"],
])("endReasonForSipStatus(%i) is %s", (status, expected) => expect(endReasonForSipStatus(status)).toBe(expected));

test("describeEnd", () => {
	expect(describeEnd({ by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" })).toBe(
		"the line was busy (SIP 486 Busy Here; ended by the telephone side)",
	);
	expect(describeEnd({ by: "api", reason: "not-claimed" })).toBe("no media node took the call in time (ended by the API)");
});
