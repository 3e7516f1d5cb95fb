import * as z from "zod";
import { hasPort } from "./fleet/settings.ts";
import type { PeerRegion } from "./region.ts";

const region = z.strictObject({
	region: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
	sipAddress: z
		.string()
		.regex(/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/)
		.refine((text) => hasPort(text))
		.optional(),
	countries: z.array(z.string().regex(/^([A-Z]{2}|\*)$/)).optional(),
});

const PROBLEM = 'must be regions in JSON, each once, such as [{"region":"eu-west-1","sipAddress":"sip.eu.example.com"}]';

/** All regions of the deployment as a node has to know them. */
export const REGION_FIELDS = {
	PEER_REGIONS: z
		.string()
		.transform((text, context): PeerRegion[] => {
			const parsed = z.array(region).min(1).max(16).safeParse(json(text));
			const isEachOnce = parsed.success && new Set(parsed.data.map((one) => one.region)).size === parsed.data.length;
			if (isEachOnce) return parsed.data as PeerRegion[];
			context.addIssue({ code: "custom", message: PROBLEM });
			return z.NEVER;
		})
		.optional(),
};

function json(text: string): unknown {
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return undefined;
	}
}
