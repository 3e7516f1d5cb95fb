import { availableParallelism } from "node:os";
import * as z from "zod";

/** Each has its own copy of the code: 60 MB. */
const MOST = 64;

/** Settings of the media engine, the same for a node in a container and on a laptop. */
export const ENGINE_FIELDS = {
	/** threads for calls' audio; 0 = in the main one; unset = one per core */
	MEDIA_WORKERS: z
		.string()
		.regex(/^\d{1,2}$/, `must be a number from 0 to ${MOST}`)
		.transform(Number)
		.pipe(z.number().max(MOST, `must be at most ${MOST}`))
		.optional(),
};

/** What of a node's options the settings say. `most`: where nothing is set, no more than these, however many cores there are. */
export function engineOptions(settings: z.infer<z.ZodObject<typeof ENGINE_FIELDS>>, most = MOST): { mediaWorkers: number } {
	return { mediaWorkers: settings.MEDIA_WORKERS ?? Math.min(availableParallelism(), most) };
}
