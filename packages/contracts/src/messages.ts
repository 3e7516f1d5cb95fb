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
	/** of the API request, as its log has it */
	requestId: z.string().min(1).max(128).optional(),
});
export type DialMessage = z.infer<typeof dialMessageSchema>;

/**
 * For the one node that owns a call, on that node's own queue. Each has an id and is applied once, however often it is delivered. What is to be
 * transferred where is on the transfer's own item, which has the command's id.
 */
export const commandMessageSchema = z.object({
	version: z.literal(1),
	type: z.enum(["hangup", "transfer"]),
	commandId: z.string().min(1).max(64),
	projectId: z.string().min(1),
	callId: z.string().regex(/^SCL_[0-9A-Za-z]+$/),
	nodeId: z.string().min(1),
	/** ms since the epoch; the node drops what has been under way for too long */
	sentAt: z.number().int().nonnegative(),
});
export type CommandMessage = z.infer<typeof commandMessageSchema>;
