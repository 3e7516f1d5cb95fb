import * as z from "zod";
import { dispatchRuleSettingsSchema, regionsSchema } from "../trunk-settings.ts";
import { millisecondsSchema, V1_LIMITS } from "./common.ts";

export const regionViewSchema = z
	.object({
		region: z.string().meta({ examples: ["eu-west-1"] }),
		home: z.boolean().meta({ description: "takes calls that nothing pins; configuration is written there" }),
		code: z.string().meta({ description: 'what ids of calls there begin with after SCL_; "" = nothing', examples: ["euw1"] }),
		countries: z
			.array(z.string())
			.readonly()
			.optional()
			.meta({ description: "destination countries that calls are placed to from there, * = all; unset = by the region's name" }),
		livekitUrl: z.string().optional().meta({ description: "the LiveKit server of its media nodes" }),
		sipAddress: z.string().optional().meta({ description: "where carriers send calls" }),
		capacity: z
			.object({ nodes: z.int(), calls: z.int(), maxCalls: z.int(), free: z.int().meta({ description: "calls that could begin now" }) })
			.optional()
			.meta({ description: "of media nodes that live; unset = nobody counts them here" }),
		nodes: z
			.array(
				z.object({
					nodeId: z.string(),
					state: z.enum(["ready", "draining"]),
					build: z.string(),
					calls: z.int(),
					maxCalls: z.int(),
					heartbeatAt: millisecondsSchema,
				}),
			)
			.optional(),
		problem: z.string().optional().meta({ description: "why its nodes could not be asked for" }),
	})
	.meta({ id: "Region" });
export const regionListSchema = z.object({ regions: z.array(regionViewSchema) }).meta({ id: "RegionList" });
export type RegionListView = z.infer<typeof regionListSchema>;

export const ruleParamsSchema = z.object({
	ruleId: z
		.string()
		.min(1)
		.max(V1_LIMITS.text)
		.meta({ description: "id of a dispatch rule", examples: ["SDR_3nVKGYxUmDbQ"] }),
});
export const dispatchRuleSettingsBodySchema = dispatchRuleSettingsSchema.meta({
	id: "DispatchRuleSettings",
	description: "what a dispatch rule says beyond LiveKit's fields",
});
export const dispatchRuleSettingsViewSchema = z
	.object({ ruleId: z.string(), settings: dispatchRuleSettingsBodySchema })
	.meta({ id: "DispatchRuleSettingsView" });

export const dialBodySchema = z
	.strictObject({
		participant: z
			.record(z.string(), z.unknown())
			.meta({ description: "LiveKit's CreateSIPParticipantRequest in JSON", examples: [{ sip_trunk_id: "ST_3nVKGYxUmDbQ" }] }),
		regions: regionsSchema
			.optional()
			.meta({ description: "the only regions that the call may be placed from, the first that is served first" }),
	})
	.meta({ id: "DialRequest", description: "an outbound call" });
