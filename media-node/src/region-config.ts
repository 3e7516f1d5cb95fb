import * as z from "zod";
import type { PeerRegion } from "./region.ts";

const region = z.strictObject({
	region: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
	sipAddress: z
		.string()
		.regex(/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/)
		.optional(),
	countries: z.array(z.string().regex(/^([A-Z]{2}|\*)$/)).optional(),
});

const PROBLEM = 'must be regions in JSON, such as [{"region":"eu-west-1","sipAddress":"sip.eu.example.com"}]';

/** All regions of the deployment as a node has to know them. */
export const REGION_FIELDS = {
	PEER_REGIONS: z
		.string()
		.transform((text, context): PeerRegion[] => {
			const parsed = z.array(region).max(16).safeParse(json(text));
			if (parsed.success) return parsed.data as PeerRegion[];
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
