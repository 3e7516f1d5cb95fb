import * as z from "zod";
import { V1_LIMITS } from "./common.ts";

export const testCallRequestSchema = z
	.strictObject({
		room: z
			.string()
			.min(1)
			.max(V1_LIMITS.text)
			.optional()
			.meta({ description: "called by a number whose rule leads there; needed when `to` is not said" }),
		to: z.string().min(1).max(V1_LIMITS.text).optional().meta({ description: "the number that is called" }),
	})
	.meta({ id: "TestCallRequest" });
export type TestCallRequest = z.infer<typeof testCallRequestSchema>;

export const testCallSchema = z
	.object({
		from: z.string().meta({ description: "the number that the built-in telephone calls by" }),
		to: z.string(),
		talkMs: z.int().meta({ description: "after so long it hangs up" }),
	})
	.meta({ id: "TestCall" });
export type TestCall = z.infer<typeof testCallSchema>;
