import * as z from "zod";
import { callIdSchema, millisecondsSchema } from "./common.ts";

const at = z.number().min(0).meta({ description: "milliseconds since the epoch, with a fraction" });
const offsetMs = z.number().meta({ description: "since the first entry" });
const participantId = z.string().meta({ description: "id of a participant" });

const arrowSchema = z.object({
	kind: z.literal("message"),
	at,
	offsetMs,
	callId: callIdSchema.meta({ description: "whose message it is: this call, or the one that it was joined to" }),
	from: participantId,
	to: participantId,
	transport: z.enum(["UDP", "TCP", "TLS"]),
	label: z.string().meta({ description: "what the arrow says", examples: ["INVITE (SDP)", "180 Ringing"] }),
	method: z.string().meta({ description: "of the request, or of the CSeq of the response; empty when it cannot be read" }),
	status: z.int().optional().meta({ description: "of a response" }),
	retransmission: z.boolean().meta({ description: "the same bytes went the same way before" }),
	bytes: z.int(),
	truncated: z.boolean().meta({ description: "not all of it was kept" }),
	text: z.string().meta({ description: "the message, secrets masked; one character for each byte" }),
});

const noteSchema = z.object({
	kind: z.literal("event"),
	at,
	offsetMs,
	label: z.string().meta({ description: "an entry of the call's timeline" }),
	detail: z.string().optional(),
});

/** A call as a ladder diagram: columns and, in order of time, what is between them. */
export const ladderSchema = z
	.object({
		callId: callIdSchema,
		summary: z.string().meta({ description: "the call in one line" }),
		live: z.boolean().meta({ description: "more may come: ask again" }),
		startedAt: millisecondsSchema,
		participants: z.array(
			z.object({
				id: participantId,
				name: z.string(),
				kind: z.enum(["trunkline", "peer"]),
			}),
		),
		entries: z.array(z.discriminatedUnion("kind", [arrowSchema, noteSchema])),
		dropped: z.int().meta({ description: "messages that were not kept, because the call had more than are kept" }),
		numbersMasked: z.boolean(),
	})
	.meta({ id: "Ladder" });
export type Ladder = z.infer<typeof ladderSchema>;
export type LadderMessage = z.infer<typeof arrowSchema>;
