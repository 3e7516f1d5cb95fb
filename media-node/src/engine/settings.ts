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
	/** how often the quality of calls that go on is written to their records, one write to the calls table each; 0 = when they have ended */
	QUALITY_EVERY_SECONDS: z
		.string()
		.regex(/^\d{1,4}$/, "must be a number from 0 to 3600")
		.transform(Number)
		.pipe(z.number().max(3_600, "must be at most 3600"))
		.optional(),
	/** how long a call's room may be gone before the call ends; 0 = the call ends with the connection */
	ROOM_RECOVERY_SECONDS: z
		.string()
		.regex(/^\d{1,4}$/, "must be a number from 0 to 3600")
		.transform(Number)
		.pipe(z.number().max(3_600, "must be at most 3600"))
		.optional(),
	/** when relays that a room server names are used: where nothing else leads, beside everything else, or nothing else */
	ROOM_RELAYS: z.enum(["auto", "at-once", "only"], { error: "must be auto, at-once or only" }).optional(),
};

interface EngineOptions {
	mediaWorkers: number;
	/** ms */
	qualityEveryMs: number;
	/** ms */
	roomRecoveryMs: number;
	/** unset: "auto" */
	roomRelays?: "auto" | "at-once" | "only";
}

/** What is taken where nothing is set: threads at most, and seconds from one look at a call's quality to the next. */
interface EngineDefaults {
	most: number;
	qualityEverySeconds: number;
}

const ROOM_RECOVERY_SECONDS = 60;
const NODE_DEFAULTS: EngineDefaults = { most: MOST, qualityEverySeconds: 30 };

/** What of a node's options the settings say. */
export function engineOptions(
	settings: z.infer<z.ZodObject<typeof ENGINE_FIELDS>>,
	defaults: EngineDefaults = NODE_DEFAULTS,
): EngineOptions {
	return {
		mediaWorkers: settings.MEDIA_WORKERS ?? Math.min(availableParallelism(), defaults.most),
		qualityEveryMs: (settings.QUALITY_EVERY_SECONDS ?? defaults.qualityEverySeconds) * 1_000,
		roomRecoveryMs: (settings.ROOM_RECOVERY_SECONDS ?? ROOM_RECOVERY_SECONDS) * 1_000,
		...(settings.ROOM_RELAYS === undefined ? {} : { roomRelays: settings.ROOM_RELAYS }),
	};
}
