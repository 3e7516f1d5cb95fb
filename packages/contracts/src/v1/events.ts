import * as z from "zod";
import { millisecondsSchema, V1_LIMITS } from "./common.ts";
import { callSummarySchema } from "./calls.ts";

export const callEventTypeSchema = z.enum([
	"call.started",
	"call.ringing",
	"call.answered",
	"call.dtmf",
	"call.transferred",
	"call.recorded",
	"call.ended",
]);
export type CallEventType = z.infer<typeof callEventTypeSchema>;

/**
 * An event as it is delivered: LiveKit's webhook form (`livekit.WebhookEvent` in proto3 JSON: event, id, createdAt in seconds as text, room,
 * participant), and `call`, which LiveKit's clients ignore.
 */
export const callEventSchema = z
	.object({
		event: callEventTypeSchema,
		id: z.string().meta({ description: "the same for every delivery of this event", examples: ["EV_3nVKGYxUmDbQ_2_answered"] }),
		createdAt: z.string().meta({ description: "seconds since the epoch, as text (LiveKit's form)" }),
		room: z.object({ name: z.string() }).optional(),
		participant: z.object({ identity: z.string(), sid: z.string() }).optional(),
		projectId: z.string(),
		at: millisecondsSchema,
		sequence: z.int().min(0).meta({ description: "position in the call's timeline; events of one call come in its order" }),
		call: callSummarySchema,
		detail: z
			.string()
			.optional()
			.meta({ description: "call.dtmf: the digits; call.transferred: the target; call.recorded: the key of the recording" }),
	})
	.meta({ id: "CallEvent", description: "sent as application/webhook+json, signed as LiveKit signs its webhooks" });
export type CallEvent = z.infer<typeof callEventSchema>;

export const webhookSchema = z
	.strictObject({
		url: z
			.url({ protocol: /^https?$/, error: "must be an http or https URL" })
			.max(V1_LIMITS.url)
			.meta({ description: "https, with a public address" }),
		events: z.array(callEventTypeSchema).max(callEventTypeSchema.options.length).optional().meta({
			description:
				"only these; when not said, all but call.dtmf, whose digits may be secrets. Once one webhook asks for it, the digits of new presses are on the records of calls too",
		}),
	})
	.meta({ id: "Webhook" });
export type Webhook = z.infer<typeof webhookSchema>;

export const webhookSettingsSchema = z
	.strictObject({
		webhooks: z
			.array(webhookSchema)
			.max(V1_LIMITS.webhooks)
			.refine((all) => new Set(all.map(({ url }) => url)).size === all.length, "each URL may be there once"),
	})
	.meta({ id: "WebhookSettings", description: "where the project's events go" });
export type WebhookSettings = z.infer<typeof webhookSettingsSchema>;
