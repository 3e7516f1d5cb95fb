import { networkInterfaces } from "node:os";
import { isIPv6 } from "node:net";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
	ENGINE_FIELDS,
	engineOptions,
	SIP_FIELDS,
	type SipOptions,
	sipOptions,
	TRACE_FIELDS,
	type TraceSettings,
	traceSettings,
} from "@trunkline/media-node";
import * as z from "zod";

/** A setting that cannot be used; the message is the one line that the user sees. */
export class SettingError extends Error {
	override readonly name = "SettingError";
}

/** LiveKit's own for development: everybody knows them. */
export const DEFAULT_KEYS = { apiKey: "devkey", apiSecret: "secret" } as const;

export const hasWellKnownKeys = ({ apiKey, apiSecret }: Pick<LocalConfig, "apiKey" | "apiSecret">): boolean =>
	apiKey === DEFAULT_KEYS.apiKey && apiSecret === DEFAULT_KEYS.apiSecret;

export interface LocalConfig {
	/** address that HTTP, SIP and RTP listen on */
	host: string;
	/** address that others reach us at: in Contact, Via and SDP */
	advertisedAddress: string;
	port: number;
	sipPort: number;
	/** TLS (off without a certificate), limits of connections, IPv6 beside IPv4 */
	sip: Partial<SipOptions>;
	rtpPortRange: readonly [first: number, last: number];
	dataDir: string;
	apiKey: string;
	apiSecret: string;
	/** an outside LiveKit server; unset = the embedded room server */
	livekitUrl?: string;
	/** who the embedded room server tells of rooms, participants and tracks */
	roomWebhookUrls: readonly string[];
	logLevel: "silent" | "error" | "warn" | "info" | "debug";
	strictDispatch: boolean;
	/** what senders get that no trunk names; see MediaNodeOptions.unknownSources */
	unknownSources: "auto" | "answer" | "drop";
	/** threads for calls' audio; 0 = in the main one */
	mediaWorkers: number;
	/** see MediaNodeOptions */
	qualityEveryMs: number;
	/** see MediaNodeOptions */
	roomRecoveryMs: number;
	/** see MediaNodeOptions */
	roomRelays?: "auto" | "at-once" | "only";
	maxCalls: number;
	/** bearer of /v1/projects; unset = there is the default project alone */
	adminSecret?: string;
	/** ms without a packet before a call is ended; 30 s before the first one and 15 s later when unset */
	mediaTimeoutMs?: { first: number; later: number };
	/** where recordings of calls are kept; unset: in the data directory */
	recordingsDir?: string;
	/** SIP messages of calls */
	traces: TraceSettings;
	/** where they are kept; unset: in the data directory */
	tracesDir?: string;
	/** prompts of one's own, a folder for each language */
	promptsDir?: string;
	/** WAV file for callers who are held; unset: a tune of our own */
	holdMusic?: string;
	/** ES module that takes noise out of calls in the place of DTLN */
	noiseSuppressorModule?: string;
	/** how often the trunks that register are looked at; set by tests alone */
	registrationPollMs?: number;
}

const issue = (context: z.RefinementCtx, message: string): never => {
	context.addIssue({ code: "custom", message });
	return z.NEVER;
};

const port = (fallback: number) =>
	z
		.string()
		.default(String(fallback))
		.transform((text, context) => {
			const value = Number(text);
			if (/^\d{1,5}$/.test(text) && value <= 65_535) return value;
			return issue(context, "must be a port number, 0 to 65535 (0 = any free port)");
		});

const portRange = z
	.string()
	.default("10000-20000")
	.transform((text, context): readonly [number, number] => {
		const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
		if (first !== undefined && last !== undefined && Number(first) >= 1024 && Number(last) <= 65_535 && Number(last) > Number(first)) {
			return [Number(first), Number(last)];
		}
		return issue(context, "must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000");
	});

const ip = (message: string) => z.union([z.ipv4(), z.ipv6()], { error: message });

const MAX_WEBHOOK_URLS = 10;

/** With a password in it, a URL would be in logs with it. */
const isWebhookUrl = (text: string): boolean => {
	if (!URL.canParse(text)) return false;
	const { protocol, username, password } = new URL(text);
	return (protocol === "http:" || protocol === "https:") && username === "" && password === "";
};

const webhookUrls = z
	.string()
	.transform((text) => text.split(",").map((url) => url.trim()))
	.refine(
		(urls) => urls.length <= MAX_WEBHOOK_URLS && urls.every(isWebhookUrl),
		`must be at most ${MAX_WEBHOOK_URLS} http or https URLs without a password, with commas between`,
	);

/** It makes and deletes projects: nobody should guess it. */
const MIN_ADMIN_SECRET_LENGTH = 16;

const schema = z.object({
	HOST: ip("must be an IP address of this machine, or 0.0.0.0 for all").default("127.0.0.1"),
	ADVERTISED_ADDRESS: ip("must be an IP address that others reach this machine at")
		.refine((address) => !isWildcard(address), "must be an IP address that others reach this machine at, not the wildcard")
		.optional(),
	PORT: port(7880),
	SIP_PORT: port(5060),
	...SIP_FIELDS,
	...ENGINE_FIELDS,
	...TRACE_FIELDS,
	RTP_PORT_RANGE: portRange,
	DATA_DIR: z.string().optional(),
	LIVEKIT_URL: z
		.string()
		.refine(isServerUrl, "must be the server's URL, such as wss://example.livekit.cloud or http://127.0.0.1:7880")
		.optional(),
	LIVEKIT_API_KEY: z.string().optional(),
	LIVEKIT_API_SECRET: z.string().optional(),
	ROOM_WEBHOOK_URLS: webhookUrls.optional().transform((urls = []) => urls),
	LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"], { error: "must be silent, error, warn, info or debug" }).default("warn"),
	STRICT_DISPATCH: z.enum(["true", "false"], { error: "must be true or false" }).default("true"),
	SIP_UNKNOWN_SOURCES: z.enum(["auto", "answer", "drop"], { error: "must be auto, answer or drop" }).default("auto"),
	TRUNKLINE_ADMIN_SECRET: z.string().min(MIN_ADMIN_SECRET_LENGTH, `must have at least ${MIN_ADMIN_SECRET_LENGTH} characters`).optional(),
	RECORDINGS_DIR: z.string().optional(),
	PROMPTS_DIR: z.string().optional(),
	HOLD_MUSIC: z.string().optional(),
	NOISE_SUPPRESSOR_MODULE: z.string().optional(),
	MAX_CALLS: z
		.string()
		.regex(/^[1-9]\d{0,4}$/, "must be a number from 1 to 99999")
		.transform(Number)
		.optional(),
});

/** One thread: below a hundred calls the cheapest (docs/media.md), and a laptop has other uses for its cores. Quality as soon as there is some: writes cost nothing here. */
const ENGINE_DEFAULTS = { most: 1, qualityEverySeconds: 5 };
const DEFAULT_MAX_CALLS = 500;
/** In the repository, whatever directory the start is typed in. */
const DEFAULT_DATA_DIR = fileURLToPath(new URL("../../../.trunkline", import.meta.url));

/** Reads the settings from the environment. Throws SettingError with one clear line. */
export function readConfig(env: Record<string, string | undefined>, cwd: string): LocalConfig {
	// An empty variable is one that is not set: shells and .env files write it that way.
	const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
	const parsed = schema.safeParse(given);
	if (!parsed.success) {
		const [first] = parsed.error.issues;
		const name = String(first?.path[0] ?? "a setting");
		throw new SettingError(`${name}=${name.endsWith("_SECRET") ? "…" : shown(given[name] ?? "")}: ${first?.message ?? "is not usable"}`);
	}
	const settings = parsed.data;
	checkLivekit(settings);
	const { RTP_PORT_RANGE: rtpPortRange } = settings;
	const host = isWildcard(settings.HOST) && isIPv6(settings.HOST) ? "::" : settings.HOST;
	const advertisedAddress = settings.ADVERTISED_ADDRESS ?? advertisedFor(host);
	if (isIPv6(host) !== isIPv6(advertisedAddress))
		throw new SettingError(
			`ADVERTISED_ADDRESS=${advertisedAddress}: must be an ${isIPv6(host) ? "IPv6" : "IPv4"} address, as HOST=${host} is`,
		);
	const sip = sipOptions(settings, host);
	if (sip.wrong !== undefined) throw new SettingError(sip.wrong);
	return {
		host,
		advertisedAddress,
		port: settings.PORT,
		sipPort: settings.SIP_PORT,
		sip: sip.options,
		rtpPortRange,
		dataDir: settings.DATA_DIR === undefined ? DEFAULT_DATA_DIR : resolve(cwd, settings.DATA_DIR),
		apiKey: settings.LIVEKIT_API_KEY ?? DEFAULT_KEYS.apiKey,
		apiSecret: settings.LIVEKIT_API_SECRET ?? DEFAULT_KEYS.apiSecret,
		logLevel: settings.LOG_LEVEL,
		strictDispatch: settings.STRICT_DISPATCH === "true",
		unknownSources: settings.SIP_UNKNOWN_SOURCES,
		...engineOptions(settings, ENGINE_DEFAULTS),
		maxCalls: maxCalls(settings.MAX_CALLS, rtpPortRange),
		...audioFiles(settings, cwd),
		traces: traceSettings(settings),
		...(settings.TRACES_DIR === undefined ? {} : { tracesDir: resolve(cwd, settings.TRACES_DIR) }),
		...(settings.LIVEKIT_URL === undefined ? {} : { livekitUrl: settings.LIVEKIT_URL }),
		roomWebhookUrls: settings.ROOM_WEBHOOK_URLS,
		...(settings.TRUNKLINE_ADMIN_SECRET === undefined ? {} : { adminSecret: settings.TRUNKLINE_ADMIN_SECRET }),
	};
}

/** What calls play and where they are recorded, from paths that may be relative. */
function audioFiles(
	settings: Pick<z.infer<typeof schema>, "RECORDINGS_DIR" | "PROMPTS_DIR" | "HOLD_MUSIC" | "NOISE_SUPPRESSOR_MODULE">,
	cwd: string,
): Pick<LocalConfig, "recordingsDir" | "promptsDir" | "holdMusic" | "noiseSuppressorModule"> {
	const { RECORDINGS_DIR, PROMPTS_DIR, HOLD_MUSIC, NOISE_SUPPRESSOR_MODULE } = settings;
	return {
		...(RECORDINGS_DIR === undefined ? {} : { recordingsDir: resolve(cwd, RECORDINGS_DIR) }),
		...(PROMPTS_DIR === undefined ? {} : { promptsDir: resolve(cwd, PROMPTS_DIR) }),
		...(HOLD_MUSIC === undefined ? {} : { holdMusic: resolve(cwd, HOLD_MUSIC) }),
		...(NOISE_SUPPRESSOR_MODULE === undefined ? {} : { noiseSuppressorModule: resolve(cwd, NOISE_SUPPRESSOR_MODULE) }),
	};
}

/** Half an access is a mistake that would only show with the first call. */
function checkLivekit(settings: {
	LIVEKIT_URL?: string | undefined;
	LIVEKIT_API_KEY?: string | undefined;
	LIVEKIT_API_SECRET?: string | undefined;
	ROOM_WEBHOOK_URLS: readonly string[];
}): void {
	const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET } = settings;
	if (LIVEKIT_URL !== undefined && settings.ROOM_WEBHOOK_URLS.length > 0)
		throw new SettingError(
			`ROOM_WEBHOOK_URLS must not be set with LIVEKIT_URL: webhooks of rooms are a setting (webhook.urls) of the server at ${shown(LIVEKIT_URL)}`,
		);
	const access = { LIVEKIT_API_KEY, LIVEKIT_API_SECRET };
	const missing = Object.entries(access).flatMap(([name, value]) => (value === undefined ? [name] : []));
	const [name] = missing;
	if (name === undefined) return;
	if (LIVEKIT_URL !== undefined)
		throw new SettingError(
			`${missing.join(" and ")} must be set, because LIVEKIT_URL is: the key and secret of the server at ${shown(LIVEKIT_URL)}`,
		);
	if (missing.length === 1) throw new SettingError(`${name} must be set, because its other half is; or neither, for devkey and secret`);
}

/** Each call takes one even port of the range. */
function maxCalls(wanted: number | undefined, [first, last]: readonly [number, number]): number {
	const ports = Math.floor(last / 2) - Math.ceil(first / 2) + 1;
	if (wanted !== undefined && wanted > ports)
		throw new SettingError(
			`RTP_PORT_RANGE=${first}-${last}: has even ports for ${ports} calls, fewer than MAX_CALLS=${wanted}; make it larger`,
		);
	return wanted ?? Math.min(DEFAULT_MAX_CALLS, ports);
}

function isServerUrl(text: string): boolean {
	if (!URL.canParse(text)) return false;
	const { hostname, search, hash } = new URL(text);
	return /^(wss?|https?):\/\//.test(text) && hostname !== "" && search === "" && hash === "";
}

/** One line, whatever the value is. */
function shown(value: string): string {
	const clipped = value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value;
	return /^[\x21-\x7e…]+$/.test(clipped) ? clipped : JSON.stringify(clipped);
}

const MAX_SHOWN = 80;

/** 0.0.0.0 or ::, in any spelling */
function isWildcard(address: string): boolean {
	return /^[0.:]+$/.test(address);
}

/** A wildcard address cannot be advertised: the first address of this machine that is not loopback stands for it. */
function advertisedFor(host: string): string {
	if (!isWildcard(host)) return host;
	const family = host.includes(":") ? "IPv6" : "IPv4";
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const found = addresses.find((address) => address.family === family && !address.internal && !address.address.startsWith("fe80"));
	return found?.address ?? (family === "IPv6" ? "::1" : "127.0.0.1");
}
