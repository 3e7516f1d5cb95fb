import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOG_LEVELS, type LogLevel } from "@trunkline/observability";
import * as z from "zod";
import { ENGINE_FIELDS, engineOptions } from "./engine/settings.ts";
import { FLEET_FIELDS, type FleetConfig, fleetOptions } from "./fleet/settings.ts";
import type { PeerRegion } from "./region.ts";
import { REGION_FIELDS } from "./region-config.ts";
import { SIP_FIELDS, sipOptions } from "./sip-config.ts";
import { SIP_FLEET_FIELDS, sipFleetOptions } from "./sip-fleet-config.ts";
import type { SipOptions } from "./sip-options.ts";
import { TRACE_BUCKET_FIELDS, TRACE_FIELDS, tracesOf, type TracesConfig } from "./trace/settings.ts";

/** A setting that is missing or cannot be used; the message is the one line that whoever started the node sees. */
export class SettingError extends Error {
	override readonly name = "SettingError";
}

export interface NodeConfig {
	/** of the dial requests that this node takes, and on the records of its calls */
	region: string;
	/** all regions of the deployment; unset: there is no other */
	peerRegions?: readonly PeerRegion[];
	/** of the AWS clients */
	awsRegion: string;
	/** gets inbound calls that are no other project's */
	projectId: string;
	/** of the deployment itself, `projectId` included */
	builtInProjects: readonly string[];
	/** the KMS key that seals the secrets of projects; unset: there are none but `projectId` */
	projectsKmsKey?: string;
	configTable: string;
	callsTable: string;
	dialQueueUrl: string;
	dialDeadLetterUrl?: string;
	/** name of this node's own queue of commands, without the node's id at its end; unset: its calls take no commands */
	commandQueuePrefix?: string;
	livekit: { url: string; apiKey: string; apiSecret: string };
	/** address that SIP and RTP listen on */
	sipHost: string;
	/** 0 = any free one */
	sipPort: number;
	/** what Via, Contact and SDP say; unset: the node finds it out when it starts (docs/fleet.md) */
	advertisedAddress?: string;
	fleet: FleetConfig;
	/** TLS, limits of connections, IPv6 beside IPv4 */
	sip: Partial<SipOptions>;
	rtpPortRange: readonly [first: number, last: number];
	/** WAV file that held callers hear */
	holdMusic?: string;
	/** the deployment's own prompts, a folder for each language */
	promptsDirectory?: string;
	/** unset: no call is recorded */
	recordings?: {
		/** with a bucket: where recordings are until their calls are over */
		directory: string;
		/** in the region of the node, where the calls stay */
		bucket?: string;
		prefix?: string;
		/** unset: S3's own keys */
		kmsKeyId?: string;
	};
	/** unset: no traces are kept */
	traces?: TracesConfig;
	/** ES module that takes noise out of calls in the place of DTLN */
	noiseSuppressorModule?: string;
	/** threads for calls' audio */
	mediaWorkers: number;
	/** see MediaNodeOptions */
	qualityEveryMs: number;
	/** see MediaNodeOptions */
	roomRecoveryMs: number;
	/** see MediaNodeOptions */
	roomRelays?: "auto" | "at-once" | "only";
	maxCalls: number;
	strictDispatch: boolean;
	/** see MediaNodeOptions.unknownSources */
	unknownSources: "auto" | "answer" | "drop";
	/** unset: one of this process alone, so that only it can check the answers to its own challenges */
	nonceSecret?: Uint8Array;
	logLevel: LogLevel;
	/** of the deployment, a dimension of its metrics; unset: they are counted for /metrics alone */
	stage: string | undefined;
	/** 0 = any free one */
	healthPort: number;
	/** how long calls may go on after SIGTERM, before they are hung up */
	drainMs: number;
}

const port = (fallback: number) =>
	z
		.string()
		.regex(/^\d{1,5}$/, "must be a port number, 0 to 65535")
		.default(String(fallback))
		.transform(Number)
		.pipe(z.number().max(65_535, "must be a port number, 0 to 65535"));

const count = (fallback: number, least: number, most: number) =>
	z
		.string()
		.regex(/^\d{1,6}$/, `must be a number from ${least} to ${most}`)
		.default(String(fallback))
		.transform(Number)
		.pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

const RANGE = "must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000";
const portRange = z
	.string()
	.regex(/^\d{4,5}-\d{4,5}$/, RANGE)
	.default("10000-20000")
	.transform((text): [number, number] => {
		const [first = 0, last = 0] = text.split("-").map(Number);
		return [first, last];
	})
	.refine(([first, last]) => first >= 1024 && last <= 65_535 && last > first, RANGE);

const address = z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address" });

const schema = z.object({
	REGION: z.string().optional(),
	AWS_REGION: z.string().optional(),
	PROJECT_ID: z.string(),
	BUILT_IN_PROJECTS: z
		.string()
		.default("")
		.transform((text) => text.split(",").map((id) => id.trim())),
	PROJECTS_KMS_KEY: z.string().optional(),
	CONFIG_TABLE: z.string(),
	CALLS_TABLE: z.string(),
	DIAL_QUEUE_URL: z.url({ protocol: /^https?$/, error: "must be the queue's URL" }),
	DIAL_DEAD_LETTER_URL: z.url({ protocol: /^https?$/, error: "must be a queue's URL" }).optional(),
	COMMAND_QUEUE_PREFIX: z
		.string()
		.regex(/^[\w-]{1,60}$/, "must be the beginning of a queue's name: up to 60 letters, digits, - and _")
		.optional(),
	LIVEKIT_URL: z.url({ protocol: /^(wss?|https?)$/, error: "must be the server's URL, such as wss://rooms.example" }),
	LIVEKIT_API_KEY: z.string(),
	LIVEKIT_API_SECRET: z.string(),
	SIP_HOST: address.default("0.0.0.0"),
	SIP_PORT: port(5060),
	ADVERTISED_ADDRESS: address.optional(),
	RTP_PORT_RANGE: portRange,
	PROMPTS_DIR: z.string().min(1).optional(),
	RECORDINGS_DIR: z.string().min(1).optional(),
	RECORDINGS_BUCKET: z
		.string()
		.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of an S3 bucket")
		.optional(),
	RECORDINGS_PREFIX: z
		.string()
		.regex(/^[\w./-]{0,200}$/, "must be up to 200 letters, digits and . _ - /")
		.optional(),
	RECORDINGS_KMS_KEY: z.string().min(1).optional(),
	HOLD_MUSIC: z.string().min(1).optional(),
	NOISE_SUPPRESSOR_MODULE: z.string().min(1).optional(),
	...SIP_FIELDS,
	...SIP_FLEET_FIELDS,
	...REGION_FIELDS,
	...FLEET_FIELDS,
	...ENGINE_FIELDS,
	...TRACE_FIELDS,
	...TRACE_BUCKET_FIELDS,
	MAX_CALLS: count(500, 1, 99_999),
	STRICT_DISPATCH: z.enum(["true", "false"], { error: "must be true or false" }).default("true"),
	SIP_UNKNOWN_SOURCES: z.enum(["auto", "answer", "drop"], { error: "must be auto, answer or drop" }).default("auto"),
	NONCE_SECRET: z.string().min(32, "must have at least 32 characters").optional(),
	LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(", ")}` }).default("info"),
	STAGE: z.string().min(1).optional(),
	HEALTH_PORT: port(8080),
	DRAIN_SECONDS: count(90, 0, 86_400),
});

/** This process's environment: read here and nowhere else. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

/** Throws SettingError: one line that names the variable, and never its value, which may be a secret. */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): NodeConfig {
	// An empty variable is one that is not set: shells and task definitions write it that way.
	const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ""));
	const parsed = schema.safeParse(given);
	if (!parsed.success) {
		const [issue] = parsed.error.issues;
		const name = String(issue?.path[0] ?? "a setting");
		throw new SettingError(`${name} ${name in given ? (issue?.message ?? "cannot be used") : "must be set"}`);
	}
	const settings = parsed.data;
	const awsRegion = settings.AWS_REGION ?? settings.REGION;
	if (awsRegion === undefined) throw new SettingError("AWS_REGION must be set (or REGION, where there is no AWS)");
	const sip = sipOptions(settings, settings.SIP_HOST);
	const { options: fleetSip, wrong } = sipFleetOptions(settings, sip.options);
	if (sip.wrong !== undefined || wrong !== undefined) throw new SettingError(sip.wrong ?? wrong ?? "");
	return {
		region: settings.REGION ?? awsRegion,
		awsRegion,
		projectId: settings.PROJECT_ID,
		builtInProjects: [...new Set([settings.PROJECT_ID, ...settings.BUILT_IN_PROJECTS.filter((id) => id !== "")])],
		configTable: settings.CONFIG_TABLE,
		callsTable: settings.CALLS_TABLE,
		dialQueueUrl: settings.DIAL_QUEUE_URL,
		livekit: { url: settings.LIVEKIT_URL, apiKey: settings.LIVEKIT_API_KEY, apiSecret: settings.LIVEKIT_API_SECRET },
		sipHost: settings.SIP_HOST,
		sipPort: settings.SIP_PORT,
		...advertisedOf(settings),
		fleet: fleetOptions(settings),
		sip: fleetSip,
		rtpPortRange: settings.RTP_PORT_RANGE,
		...defined({
			peerRegions: settings.PEER_REGIONS,
			projectsKmsKey: settings.PROJECTS_KMS_KEY,
			dialDeadLetterUrl: settings.DIAL_DEAD_LETTER_URL,
			commandQueuePrefix: settings.COMMAND_QUEUE_PREFIX,
			promptsDirectory: settings.PROMPTS_DIR,
			holdMusic: settings.HOLD_MUSIC,
			noiseSuppressorModule: settings.NOISE_SUPPRESSOR_MODULE,
		}),
		...recordingsOf(settings),
		...tracesOf(settings),
		...engineOptions(settings),
		maxCalls: settings.MAX_CALLS,
		strictDispatch: settings.STRICT_DISPATCH === "true",
		unknownSources: settings.SIP_UNKNOWN_SOURCES,
		...(settings.NONCE_SECRET === undefined ? {} : { nonceSecret: new TextEncoder().encode(settings.NONCE_SECRET) }),
		logLevel: settings.LOG_LEVEL,
		stage: settings.STAGE,
		healthPort: settings.HEALTH_PORT,
		drainMs: settings.DRAIN_SECONDS * 1_000,
	};
}

/** Without those that are not set. */
function defined<T extends object>(settings: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
		[K in keyof T]?: Exclude<T[K], undefined>;
	};
}

function recordingsOf(settings: z.infer<typeof schema>): Pick<NodeConfig, "recordings"> {
	const { RECORDINGS_DIR, RECORDINGS_BUCKET: bucket, RECORDINGS_PREFIX: prefix, RECORDINGS_KMS_KEY: kmsKeyId } = settings;
	if (bucket === undefined && (prefix ?? kmsKeyId) !== undefined)
		throw new SettingError("RECORDINGS_BUCKET must be set, because its prefix or key is");
	if (bucket === undefined && RECORDINGS_DIR === undefined) return {};
	return {
		recordings: {
			directory: RECORDINGS_DIR ?? join(tmpdir(), "trunkline-recordings"),
			...(bucket === undefined ? {} : { bucket }),
			...(prefix === undefined ? {} : { prefix }),
			...(kmsKeyId === undefined ? {} : { kmsKeyId }),
		},
	};
}

/** A wildcard address cannot be advertised. */
function advertisedOf({ ADVERTISED_ADDRESS: advertised, SIP_HOST: host }: z.infer<typeof schema>): Pick<NodeConfig, "advertisedAddress"> {
	if (advertised !== undefined) return { advertisedAddress: advertised };
	return host === "0.0.0.0" || host === "::" ? {} : { advertisedAddress: host };
}
