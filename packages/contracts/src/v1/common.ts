import * as z from "zod";

/*
 * Schemas of `/v1`: the one source of its types, of the checks on what comes in, and of `openapi.json`. Times are milliseconds since the epoch.
 */

export const V1_LIMITS = {
	/** bytes of a request body */
	body: 64 * 1024,
	/** one number, SIP user, room name, identity */
	text: 255,
	pageSize: 100,
	defaultPageSize: 50,
	headers: 64,
	headerValue: 1024,
	webhooks: 10,
	url: 2048,
} as const;

export const millisecondsSchema = z.int().min(0).max(8_640_000_000_000_000).meta({ description: "milliseconds since the epoch" });

export const callIdSchema = z
	.string()
	.regex(/^SCL_[0-9A-Za-z]{1,60}$/, "must be a call id: SCL_ and letters or digits")
	.meta({ description: "id of a call", examples: ["SCL_3nVKGYxUmDbQ"] });

export const trunkIdSchema = z.string().max(V1_LIMITS.text).meta({ description: 'id of a trunk, "" when there is none' });
export const ruleIdSchema = z.string().max(V1_LIMITS.text).meta({ description: 'id of a dispatch rule, "" when there is none' });

/** Every error of `/v1`. */
export const errorSchema = z
	.object({
		code: z.string().meta({ description: "a word for programs, such as not_found", examples: ["invalid_argument"] }),
		message: z.string().meta({ description: "what is wrong and what is allowed" }),
		field: z
			.string()
			.optional()
			.meta({ description: "the field it is about, dots between levels", examples: ["webhooks.0.url"] }),
	})
	.meta({ id: "Error", description: "every error has this form" });
export type V1Error = z.infer<typeof errorSchema>;
