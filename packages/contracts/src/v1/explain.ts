import * as z from "zod";
import { PROVIDER_IDS, regionNameSchema } from "../trunk-settings.ts";
import { ruleIdSchema, trunkIdSchema, V1_LIMITS } from "./common.ts";

const text = z.string().max(V1_LIMITS.text);

export const decisionStepSchema = z
	.object({
		kind: z.enum(["trunk", "rule", "region"]),
		id: z.string(),
		outcome: z.enum(["selected", "candidate", "rejected"]).meta({
			description: "candidate: it would take the call too, but another one is preferred",
		}),
		test: z
			.string()
			.optional()
			.meta({ description: "the first test that failed", examples: ["allowed_numbers"] }),
		detail: z.string().optional().meta({ description: "the exact strings that were compared" }),
	})
	.meta({ id: "DecisionStep", description: "what one trunk or rule had to say to a call" });

export const explainRequestSchema = z
	.strictObject({
		from: text.meta({ description: 'the caller: user part of From; "" = anonymous', examples: ["+15551111"] }),
		to: text.min(1).meta({ description: "the called number: user part of To", examples: ["+15550100"] }),
		source: z
			.union([z.ipv4(), z.ipv6()], { error: "must be an IPv4 or IPv6 address without a port" })
			.meta({ description: "the address the INVITE would come from", examples: ["203.0.113.7"] }),
		headers: z
			.record(z.string().min(1).max(V1_LIMITS.text), z.string().max(V1_LIMITS.headerValue))
			.refine((headers) => Object.keys(headers).length <= V1_LIMITS.headers, `at most ${V1_LIMITS.headers} headers are allowed`)
			.optional()
			.meta({ description: "further SIP headers of the INVITE; trunks map them to attributes" }),
		pin: z
			.string()
			.regex(/^\d{0,16}$/, "must be up to 16 digits")
			.optional()
			.meta({ description: "the PIN that the caller would enter when asked" }),
		region: regionNameSchema
			.optional()
			.meta({ description: "where the INVITE would arrive; unset = the home region", examples: ["eu-west-1"] }),
	})
	.meta({ id: "ExplainRequest", description: "a would-be inbound call" });
export type ExplainRequest = z.infer<typeof explainRequestSchema>;

const named = (id: z.ZodString) => z.object({ id, name: z.string() });

export const explanationSchema = z
	.object({
		summary: z.string().meta({ description: "the decision in words; the record of a real call has the same" }),
		outcome: z.enum(["accepted", "refused"]),
		sip: z.object({ status: z.int(), reason: z.string() }).meta({ description: "the final SIP status that the caller would get" }),
		endReason: z.string().optional().meta({ description: "refused: why, in a word" }),
		trunk: named(trunkIdSchema).optional(),
		rule: named(ruleIdSchema).optional(),
		suggestedProvider: z
			.enum(PROVIDER_IDS)
			.optional()
			.meta({ description: "the source is one of this provider's addresses, and the trunk does not name its provider" }),
		asksForCredentials: z
			.boolean()
			.meta({ description: "the trunk has a user name or password: the caller is first asked for them (SIP 407)" }),
		asksForPin: z.boolean(),
		region: z
			.object({
				arrivesIn: z.string(),
				mayBeIn: z.array(z.string()).optional().meta({ description: "the only regions that the call may be in; unset = any" }),
				pinnedBy: z.enum(["trunk", "rule"]).optional(),
				redirectedTo: z.array(z.string()).optional().meta({ description: "SIP addresses that a 302 names" }),
			})
			.optional()
			.meta({ description: "where the call may be, and what becomes of it where it arrives" }),
		room: z
			.object({ name: z.string(), isRandom: z.boolean().meta({ description: "true: each call gets another end of the name" }) })
			.optional(),
		participant: z
			.object({ identity: z.string(), name: z.string(), metadata: z.string(), attributes: z.record(z.string(), z.string()) })
			.optional(),
		steps: z
			.array(decisionStepSchema)
			.meta({ description: "every trunk and rule that was looked at, in order; PINs and passwords are never shown" }),
	})
	.meta({ id: "Explanation" });
export type Explanation = z.infer<typeof explanationSchema>;
