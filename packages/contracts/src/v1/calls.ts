import * as z from "zod";
import type { CallRecord, CallState, EndedBy, EndReason } from "../call.ts";
import { callIdSchema, millisecondsSchema, ruleIdSchema, trunkIdSchema, V1_LIMITS } from "./common.ts";
import { decisionStepSchema } from "./explain.ts";

/** A Record, so that a state that is added to the type and not here is an error. */
const words = <T extends string>(all: Record<T, true>): z.ZodEnum<{ [K in T]: K }> => z.enum(Object.keys(all) as T[]) as never;

export const callStateSchema = words<CallState>({
	queued: true,
	claimed: true,
	joining: true,
	dialing: true,
	received: true,
	ringing: true,
	active: true,
	ended: true,
	cancelled: true,
}).meta({
	description: "outbound: queued → claimed → joining → dialing → ringing → active → ended; inbound: received → ringing → active → ended",
});

export const directionSchema = words<CallRecord["direction"]>({ inbound: true, outbound: true });
const endedBySchema = words<EndedBy>({ peer: true, room: true, api: true, node: true }).meta({
	description: "peer: the telephone side; room: somebody in the room; api: a request; node: time-outs, shutdown, faults",
});
export const endReasonSchema: z.ZodString = z.string().meta({ description: "why, in a word", examples: ["busy" satisfies EndReason] });

/** One call in a list. */
/** One direction of a call. */
const directionQualitySchema = z.object({
	packets: z.int(),
	lost: z.int(),
	late: z.int().meta({ description: "came after a later one, or too late to be played" }),
	duplicates: z.int(),
	concealed: z.int().meta({ description: "frames that were made up because nothing was there to be played" }),
	jitterMs: z.number().optional().meta({ description: "mean of 5 s intervals" }),
	maxJitterMs: z.number().optional(),
	roundTripMs: z.number().optional().meta({ description: "absent when the telephone sends no RTCP" }),
	maxRoundTripMs: z.number().optional(),
	level: z.number().optional().meta({ description: "mean while somebody spoke, −dBov: 0 is loudest, 127 silence" }),
	mos: z.number().optional().meta({ description: "mean opinion score, 1 to 4.5, by the E-model (ITU-T G.107)" }),
	minMos: z.number().optional().meta({ description: "of the worst 5 s" }),
	scores: z
		.object({
			everyMs: z.int(),
			mos: z.array(z.number()).readonly(),
			lossPercent: z.array(z.number()).readonly().optional(),
			levelDbov: z.array(z.number().nullable()).readonly().optional().meta({ description: "0 is loudest; null: nobody spoke" }),
		})
		.meta({ description: "over time, at most 60 values of each, each the mean of everyMs" }),
});

const callFields = {
	id: callIdSchema,
	direction: directionSchema,
	state: callStateSchema,
	region: z.string(),
	trunkId: trunkIdSchema,
	ruleId: ruleIdSchema,
	roomName: z.string(),
	participant: z.object({ identity: z.string(), id: z.string().meta({ description: "PA_…, empty until it has joined" }) }),
	from: z.string().meta({ description: "the caller's number or SIP user" }),
	to: z.string().meta({ description: "the called number or SIP user" }),
	sipCallId: z.string().meta({ description: "Call-ID header" }),
	media: z
		.object({
			codec: z.string().meta({ description: "PCMU, PCMA, G722 or opus" }),
			srtp: z
				.string()
				.optional()
				.meta({ description: "SRTP suite; absent: in the clear", examples: ["AES_CM_128_HMAC_SHA1_80"] }),
			keysInTheClear: z.literal(true).optional().meta({ description: "the keys of SRTP came by signalling without TLS" }),
			packets: z
				.object({
					received: z.int(),
					sent: z.int(),
					lost: z.int(),
					refused: z.int().meta({ description: "that came from elsewhere" }),
					srtpErrors: z.int().meta({ description: "that SRTP did not let in: forged, replayed, in the clear or under another key" }),
				})
				.optional()
				.meta({ description: "of RTP; while the call goes on, as of when quality was written" }),
			quality: z
				.object({
					uplink: directionQualitySchema.meta({ description: "telephone → room" }),
					downlink: directionQualitySchema.meta({ description: "room → telephone" }),
				})
				.optional()
				.meta({ description: "of a call that was answered, from the first 5 s on; while it goes on, as of some seconds ago" }),
		})
		.optional()
		.meta({ description: "audio as agreed with the telephone; absent: not agreed" }),
	bridgedWith: callIdSchema.optional().meta({ description: "the call that this one was joined to, telephone to telephone, by a transfer" }),
	recording: z
		.object({
			key: z.string().meta({ description: "name in the store of recordings" }),
			startedAt: millisecondsSchema,
			durationMs: z.int().optional().meta({ description: "absent while it goes on" }),
			bytes: z.int().optional(),
			problem: z.string().optional().meta({ description: "why there is none, or not all of it" }),
		})
		.optional()
		.meta({ description: "the latest one of the call; earlier ones are in the timeline" }),
	createdAt: millisecondsSchema,
	answeredAt: millisecondsSchema.optional(),
	endedAt: millisecondsSchema.optional(),
	end: z
		.object({
			by: endedBySchema,
			reason: endReasonSchema,
			sipStatus: z.int().optional(),
			sipReason: z.string().optional(),
			message: z.string().optional().meta({ description: "details" }),
			text: z.string().meta({ description: "in words", examples: ["the line was busy (SIP 486 Busy Here; ended by the telephone side)"] }),
		})
		.optional(),
};

export const callSummarySchema = z.object(callFields).meta({ id: "CallSummary" });
export type CallSummary = z.infer<typeof callSummarySchema>;

export const endExplanationSchema = z
	.object({
		cause: z
			.string()
			.meta({ description: "in a word that programs can switch on", examples: ["source-not-allowed", "provider-credentials"] }),
		failed: z.boolean().meta({ description: "false: the call ended as calls do" }),
		what: z.string().meta({ description: "what happened" }),
		why: z.string(),
		whatToDo: z.string().meta({ description: "what to do" }),
	})
	.meta({ id: "EndExplanation", description: "the end of a call in words" });
export type EndExplanation = z.infer<typeof endExplanationSchema>;

export const callDetailsSchema = z
	.object({
		...callFields,
		timeline: z.array(z.object({ at: millisecondsSchema, event: z.string(), detail: z.string().optional() })),
		explanation: endExplanationSchema.optional().meta({ description: "absent while the call goes on" }),
		decision: z
			.object({ summary: z.string(), steps: z.array(decisionStepSchema) })
			.optional()
			.meta({ description: "inbound: how trunk and rule were found, or why not" }),
	})
	.meta({ id: "Call" });
export type CallDetails = z.infer<typeof callDetailsSchema>;

const queryNumber = (maximum: number) =>
	z
		.string()
		.regex(/^\d{1,16}$/, "must be a whole number")
		.transform(Number)
		.pipe(z.int().min(0).max(maximum));

export const listCallsQuerySchema = z.strictObject({
	since: queryNumber(8_640_000_000_000_000).optional().meta({ description: "created at or after, milliseconds since the epoch" }),
	until: queryNumber(8_640_000_000_000_000).optional().meta({ description: "created before, milliseconds since the epoch" }),
	room: z.string().min(1).max(V1_LIMITS.text).optional().meta({ description: "name of the room" }),
	trunk: z.string().min(1).max(V1_LIMITS.text).optional().meta({ description: "id of the trunk" }),
	state: z
		.enum([...callStateSchema.options, "live"])
		.optional()
		.meta({ description: "a state, or live: every call that has not ended" }),
	direction: directionSchema.optional(),
	limit: z
		.string()
		.regex(/^\d{1,3}$/, `must be a number from 1 to ${V1_LIMITS.pageSize}`)
		.transform(Number)
		.pipe(z.int().min(1).max(V1_LIMITS.pageSize))
		.optional()
		.meta({ description: `calls on a page, ${V1_LIMITS.defaultPageSize} when not said` }),
	cursor: z.string().min(1).max(512).optional().meta({ description: "nextCursor of the page before" }),
});
export type ListCallsQuery = z.infer<typeof listCallsQuerySchema>;

export const callPageSchema = z
	.object({
		calls: z.array(callSummarySchema),
		nextCursor: z.string().optional().meta({
			description:
				"give it as `cursor` for the next page; absent on the last one. A page may be short or even empty and still have a next one.",
		}),
	})
	.meta({ id: "CallPage", description: "newest first" });
export type CallPage = z.infer<typeof callPageSchema>;

export const hangUpResultSchema = z
	.object({
		outcome: z.enum(["ended", "already-ended", "requested"]).meta({
			description: "requested: the media node has been told, the call had not ended yet when this was answered",
		}),
		call: callDetailsSchema,
	})
	.meta({ id: "HangUpResult" });
export type HangUpResult = z.infer<typeof hangUpResultSchema>;

export const holdRequestSchema = z
	.strictObject({
		on: z.boolean().meta({ description: "true: the caller waits; false: he hears the room again" }),
		music: z
			.enum(["tune", "silence"])
			.optional()
			.meta({ description: "what he hears; tune when not said: the deployment's file, or a small tune" }),
	})
	.meta({ id: "HoldRequest" });

export const digitsRequestSchema = z
	.strictObject({
		digits: z
			.string()
			.regex(/^[0-9*#A-Da-dw]{1,64}$/, "must be 1 to 64 of 0-9 * # A-D and w")
			.meta({ description: "w waits half a second", examples: ["12w3#"] }),
	})
	.meta({ id: "DigitsRequest" });

export const digitsResultSchema = z.object({ pressed: z.int() }).meta({ id: "DigitsResult" });

export const recordingRequestSchema = z
	.strictObject({
		action: z.enum(["start", "stop"]),
		notice: z.boolean().optional().meta({ description: "start: both sides hear a short beep every 15 s; as the trunk says when not said" }),
	})
	.meta({ id: "RecordingRequest" });

export const recordingResultSchema = z.object({ action: z.enum(["start", "stop"]) }).meta({ id: "RecordingResult" });

export const holdResultSchema = z.object({ on: z.boolean() }).meta({ id: "HoldResult" });

export const noiseSuppressionSchema = z
	.strictObject({
		uplink: z.boolean().meta({ description: "noise is taken out of what the telephone says" }),
		downlink: z.boolean().default(false).meta({ description: "noise is taken out of what the telephone hears" }),
		mix: z
			.number()
			.min(0)
			.max(1)
			.default(1)
			.meta({ description: "how much of the suppressed sound is heard: 0 = the sound as it came, 1 = the suppressed one alone" }),
	})
	.meta({ id: "NoiseSuppression" });
export type NoiseSuppression = z.infer<typeof noiseSuppressionSchema>;
