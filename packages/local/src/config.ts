import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";

/** A setting that cannot be used; the message is the one line that the user sees. */
export class SettingError extends Error {
	override readonly name = "SettingError";
}

export interface LocalConfig {
	/** address that HTTP, SIP and RTP listen on */
	host: string;
	/** address that others reach us at: in Contact, Via and SDP */
	advertisedAddress: string;
	port: number;
	sipPort: number;
	rtpPortRange: readonly [first: number, last: number];
	dataDir: string;
	apiKey: string;
	apiSecret: string;
	/** an outside LiveKit server; unset = the embedded room server */
	livekitUrl?: string;
	logLevel: "silent" | "error" | "warn" | "info" | "debug";
	strictDispatch: boolean;
	maxCalls: number;
	/** ms without a packet before a call is ended; 30 s before the first one and 15 s later when unset */
	mediaTimeoutMs?: { first: number; later: number };
}

const port = (fallback: number) =>
	z
		.string()
		.default(String(fallback))
		.transform((text, context) => {
			const value = Number(text);
			if (/^\d{1,5}$/.test(text) && value <= 65_535) return value;
			context.addIssue({ code: "custom", message: "must be a port number, 0 to 65535 (0 = any free port)" });
			return z.NEVER;
		});

const portRange = z
	.string()
	.default("10000-20000")
	.transform((text, context): readonly [number, number] => {
		const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
		if (first !== undefined && last !== undefined && Number(first) >= 1024 && Number(last) <= 65_535 && Number(last) > Number(first)) {
			return [Number(first), Number(last)];
		}
		context.addIssue({ code: "custom", message: "must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000" });
		return z.NEVER;
	});

const schema = z.object({
	HOST: z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address of this machine, or 0.0.0.0 for all" }).default("127.0.0.1"),
	ADVERTISED_ADDRESS: z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address" }).optional(),
	PORT: port(7880),
	SIP_PORT: port(5060),
	RTP_PORT_RANGE: portRange,
	DATA_DIR: z.string().min(1).optional(),
	LIVEKIT_URL: z
		.string()
		.regex(/^(wss?|https?):\/\/[^\s]+$/, "must be the server's URL, such as wss://example.livekit.cloud")
		.optional(),
	LIVEKIT_API_KEY: z.string().min(1, "must not be empty").optional(),
	LIVEKIT_API_SECRET: z.string().min(1, "must not be empty").optional(),
	LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"], { error: "must be silent, error, warn, info or debug" }).default("warn"),
	STRICT_DISPATCH: z.enum(["true", "false"], { error: "must be true or false" }).default("true"),
	MAX_CALLS: z
		.string()
		.regex(/^[1-9]\d{0,4}$/, "must be a number from 1 to 99999")
		.default("500")
		.transform(Number),
});

/** In the repository, whatever directory the start is typed in. */
const DEFAULT_DATA_DIR = fileURLToPath(new URL("../../../.trunkline", import.meta.url));

/** Reads the settings from the environment. Throws SettingError with one clear line. */
export function readConfig(env: Record<string, string | undefined>, cwd: string): LocalConfig {
	// An empty variable is one that is not set: shells and .env files write it that way.
	const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
	const parsed = schema.safeParse(given);
	if (!parsed.success) {
		const [issue] = parsed.error.issues;
		const name = String(issue?.path[0] ?? "a setting");
		throw new SettingError(`${name}=${given[name] ?? ""}: ${issue?.message ?? "not usable"}`);
	}
	const settings = parsed.data;
	const livekit = [settings.LIVEKIT_URL, settings.LIVEKIT_API_KEY, settings.LIVEKIT_API_SECRET];
	if (settings.LIVEKIT_URL !== undefined && livekit.includes(undefined)) {
		throw new SettingError("LIVEKIT_URL is set, so LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set too");
	}
	const { HOST: host } = settings;
	return {
		host,
		advertisedAddress: settings.ADVERTISED_ADDRESS ?? advertisedFor(host),
		port: settings.PORT,
		sipPort: settings.SIP_PORT,
		rtpPortRange: settings.RTP_PORT_RANGE,
		dataDir: settings.DATA_DIR === undefined ? DEFAULT_DATA_DIR : resolve(cwd, settings.DATA_DIR),
		apiKey: settings.LIVEKIT_API_KEY ?? "devkey",
		apiSecret: settings.LIVEKIT_API_SECRET ?? "secret",
		logLevel: settings.LOG_LEVEL,
		strictDispatch: settings.STRICT_DISPATCH === "true",
		maxCalls: settings.MAX_CALLS,
		...(settings.LIVEKIT_URL === undefined ? {} : { livekitUrl: settings.LIVEKIT_URL }),
	};
}

/** A wildcard address cannot be advertised: the first address of this machine that is not loopback stands for it. */
function advertisedFor(host: string): string {
	if (host !== "0.0.0.0" && host !== "::") return host;
	const family = host === "::" ? "IPv6" : "IPv4";
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const found = addresses.find((address) => address.family === family && !address.internal && !address.address.startsWith("fe80"));
	return found?.address ?? (host === "::" ? "::1" : "127.0.0.1");
}
