import { consoleFiles, consoleRoutes } from "@trunkline/console";
import type { Hono } from "hono";
import { DEFAULT_KEYS, type LocalConfig } from "./config.ts";

/** The page at /console. With the keys of a first start, which the README tells everybody, nobody has to type them. */
export function consoleOf(config: LocalConfig): Hono {
	const wellKnown = config.apiKey === DEFAULT_KEYS.apiKey && config.apiSecret === DEFAULT_KEYS.apiSecret;
	return consoleRoutes({
		files: consoleFiles(),
		...(wellKnown ? { wellKnownKeys: DEFAULT_KEYS } : {}),
		...(config.livekitUrl === undefined ? {} : { roomUrl: config.livekitUrl }),
		callMe: true,
	});
}
