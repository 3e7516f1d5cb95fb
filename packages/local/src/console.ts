import { consoleFiles, consoleRoutes } from "@trunkline/console";
import type { Hono } from "hono";
import { DEFAULT_KEYS, hasWellKnownKeys, type LocalConfig } from "./config.ts";

/** The page at /console. With the keys of a first start, which the README tells everybody, nobody has to type them. */
export function consoleOf(config: LocalConfig): Hono {
	return consoleRoutes({
		files: consoleFiles(),
		...(hasWellKnownKeys(config) ? { wellKnownKeys: DEFAULT_KEYS } : {}),
		...(config.livekitUrl === undefined ? {} : { roomUrl: config.livekitUrl }),
		callMe: true,
	});
}
