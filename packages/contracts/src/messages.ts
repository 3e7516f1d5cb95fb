import * as z from "zod";

/**
 * Queue messages. Versioned: a consumer refuses (dead-letters) a version it does not know.
 * The call itself is on its record in DynamoDB; the message only says that there is work, so that delivery twice, late or
 * out of order is harmless.
 */
export const dialMessageSchema = z.object({
	version: z.literal(1),
	type: z.literal("dial"),
	projectId: z.string().min(1),
	callId: z.string().regex(/^SCL_[0-9A-Za-z]+$/),
	region: z.string().min(1),
	/** ms since the epoch */
	enqueuedAt: z.number().int().nonnegative(),
});
export type DialMessage = z.infer<typeof dialMessageSchema>;
