import * as z from "zod";
import { millisecondsSchema } from "./common.ts";

export const registrationViewSchema = z
	.object({
		trunkId: z.string(),
		state: z
			.enum(["off", "waiting", "registering", "registered", "failed"])
			.meta({ description: "off: the trunk's settings say so; waiting: no node has begun (again) yet" }),
		registrar: z.string().optional().meta({ description: "host, or host and port" }),
		nodeId: z.string().optional().meta({ description: "the media node that registers, and gets the calls" }),
		contact: z.string().optional().meta({ description: "where the registrar sends calls" }),
		registeredUntil: millisecondsSchema.optional().meta({ description: "until then the registrar sends calls, as far as is known" }),
		message: z.string().optional().meta({ description: "why the last attempt failed" }),
		sipStatus: z.int().optional().meta({ description: "what the registrar answered then" }),
		retryAt: millisecondsSchema.optional(),
		updatedAt: millisecondsSchema.optional(),
	})
	.meta({ id: "Registration", description: "how a trunk's registration at its carrier goes, in the region of the API that is asked" });
export type RegistrationView = z.infer<typeof registrationViewSchema>;
