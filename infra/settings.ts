import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { providerProfile, signallingNetworks } from "@trunkline/domain/provider";
import * as z from "zod";
import { blockOf } from "./ip.ts";

/** At the root of the repository; TRUNKLINE_CONFIG names another file. docs/deploy.md describes every setting. */
const SETTINGS_FILE = "trunkline.config.json";

/** Of a stage without settings; `npm run deploy` writes a stage's regions down before it makes it. */
const DEFAULT_REGION = "us-east-1";
/** AWS allows 60 rules in a security group; each network takes two. */
const MOST_NETWORKS = 25;
/** Calls that one vCPU takes with room to spare: docs/deploy.md has the arithmetic. */
const CALLS_PER_VCPU = 100;

/** What Fargate has for so many vCPUs. */
const MEMORY_GB = {
	0.5: { least: 1, most: 4, step: 1 },
	1: { least: 2, most: 8, step: 1 },
	2: { least: 4, most: 16, step: 1 },
	4: { least: 8, most: 30, step: 1 },
	8: { least: 16, most: 60, step: 4 },
} as const;

/** A setting that cannot be used; the message is what whoever deploys sees. */
class SettingsError extends Error {
	override readonly name = "SettingsError";
}

const region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "is no AWS region, such as eu-west-1");
const hostName = z.string().regex(/^([a-z\d]([a-z\d-]{0,61}[a-z\d])?\.)+[a-z]{2,}$/, "is no host name, such as api.example.com");
const network = z.string().refine((text) => blockOf(text) !== undefined, "is no IPv4 address or CIDR block");

const stageSchema = z.strictObject({
	/** the first is home: the API and the table that the others have copies of */
	regions: z.array(region).min(1).max(8).optional(),
	sip: z
		.strictObject({
			/** SIP is taken from these providers' published addresses */
			providers: z.array(z.enum(["twilio", "telnyx", "exotel", "plivo", "wavix"])).default([]),
			/** … and from these; neither = from anywhere */
			networks: z.array(network).default([]),
			/** INVITEs to the networks above leave from fixed addresses, by NAT gateways */
			fixedOutboundAddresses: z.boolean().default(false),
			/** ARN of a secret of Secrets Manager in each region: JSON with `certificate` and `key`, PEM */
			tlsSecrets: z.record(region, z.string().startsWith("arn:")).optional(),
		})
		.prefault({}),
	nodes: z
		.strictObject({
			vcpu: z.union([z.literal(0.5), z.literal(1), z.literal(2), z.literal(4), z.literal(8)]).default(1),
			/** unset: 2 a vCPU */
			memoryGb: z.int().min(1).max(60).optional(),
			/** at least so many, in every region */
			min: z.int().min(1).max(500).optional(),
			max: z.int().min(1).max(500).default(20),
			/** that one node takes */
			calls: z.int().min(1).max(5_000).optional(),
		})
		.prefault({}),
	/** zones that nodes are in: each has a fixed address */
	zones: z.union([z.literal(1), z.literal(2), z.literal(3)]).optional(),
	/** of each region: countries that calls are placed to from there, "*" = all; unset = by the region's name (docs/deploy.md) */
	countries: z.record(region, z.array(z.string().regex(/^([A-Z]{2}|\*)$/, "is no country of two capital letters"))).default({}),
	/** LiveKit servers of regions that do not use the one of the secret LivekitUrl */
	livekitUrls: z.record(region, z.url({ protocol: /^(wss?|https?)$/ })).default({}),
	/** of the API, and the hosted zone of Route 53, in the same account, that it is in */
	domain: z.strictObject({ name: hostName, zone: hostName }).optional(),
	/** gets alarms */
	alarmEmail: z.email().optional(),
	recordings: z
		.strictObject({
			/** 0 = kept for good */
			keepDays: z.int().min(0).max(36_500).default(90),
		})
		.prefault({}),
	/** of calls' SIP messages */
	traces: z
		.strictObject({
			keepDays: z.int().min(1).max(3_650).default(7),
			/** masked = of telephone numbers in them the last two digits are left */
			numbers: z.enum(["full", "masked"]).default("full"),
		})
		.prefault({}),
	/** the page at /console of the API */
	console: z.boolean().default(true),
	/** requests that the API works on at a time, at most; unset: as many as the account's functions have left */
	apiConcurrency: z.int().min(5).max(10_000).optional(),
	keepLogsDays: z.union([z.literal(7), z.literal(14), z.literal(30), z.literal(90), z.literal(365)]).default(30),
});

const fileSchema = z.strictObject({ $schema: z.string().optional(), stages: z.record(z.string(), stageSchema) });

type Given = z.infer<typeof stageSchema>;

/** A stage's settings, with what follows from them. */
export interface StageSettings extends Omit<Given, "regions" | "nodes" | "zones" | "sip"> {
	production: boolean;
	regions: [home: string, ...others: string[]];
	zones: number;
	nodes: { vcpu: Given["nodes"]["vcpu"]; memoryGb: number; min: number; max: number; calls: number };
	sip: {
		/** CIDR blocks that SIP is taken from; none = anywhere */
		networks: string[];
		fixedOutboundAddresses: boolean;
		tlsSecrets?: Record<string, string>;
	};
}

/** Reads and checks the settings of a stage. A file without the stage, and no file, mean the defaults. Throws SettingsError. */
export function readSettings(stage: string, root: string, environment: Readonly<Record<string, string | undefined>>): StageSettings {
	const path = environment["TRUNKLINE_CONFIG"] ?? join(root, SETTINGS_FILE);
	return settingsOf(stage, existsSync(path) ? contentOf(path) : { stages: {} }, path);
}

function contentOf(path: string): unknown {
	try {
		return JSON.parse(readFileSync(path, "utf8"));
	} catch (error) {
		throw new SettingsError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
	}
}

/** `content`: of the file at `path`, which only messages name. Throws SettingsError. */
export function settingsOf(stage: string, content: unknown, path: string): StageSettings {
	if (!/^[a-z][a-z\d-]{0,19}$/.test(stage))
		throw new SettingsError(`the stage ${JSON.stringify(stage)} must be up to 20 lower-case letters, digits and -, a letter first`);
	// Queues of its nodes would begin as those of another stage do, whose sweeper would delete them: trunkline-dev-node-….
	if (/-node(-|$)/.test(stage))
		throw new SettingsError(`the stage ${stage} must not have -node in its name: queues of nodes are told apart by it`);
	const file = fileSchema.safeParse(content);
	if (!file.success) {
		const [issue] = file.error.issues;
		throw new SettingsError(`${path}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "cannot be used"}`);
	}
	return checked(file.data.stages[stage] ?? stageSchema.parse({}), stage === "production");
}

function checked(given: Given, production: boolean): StageSettings {
	const [home = DEFAULT_REGION, ...others] = given.regions ?? [];
	const { sip, nodes } = given;
	const settings: StageSettings = {
		...given,
		production,
		regions: [home, ...others],
		zones: given.zones ?? (production ? 2 : 1),
		nodes: {
			...nodes,
			memoryGb: nodes.memoryGb ?? 2 * nodes.vcpu,
			min: nodes.min ?? (production ? 2 : 1),
			calls: nodes.calls ?? Math.floor(nodes.vcpu * CALLS_PER_VCPU),
		},
		sip: {
			networks: networksOf(sip),
			fixedOutboundAddresses: sip.fixedOutboundAddresses,
			...(sip.tlsSecrets === undefined ? {} : { tlsSecrets: sip.tlsSecrets }),
		},
	};
	const wrong = faultOf(settings);
	if (wrong !== undefined) throw new SettingsError(wrong);
	return settings;
}

/** What each setting by itself does not say. */
function faultOf({ regions, nodes, domain, zones, sip, livekitUrls, countries }: StageSettings): string | undefined {
	if (new Set(regions).size < regions.length) return "a region is named twice";
	if (nodes.max < nodes.min) return "nodes.max is less than nodes.min";
	const { least, most, step } = MEMORY_GB[nodes.vcpu];
	if (nodes.memoryGb < least || nodes.memoryGb > most || nodes.memoryGb % step !== 0)
		return `nodes.memoryGb: Fargate has ${least} to ${most} GB in steps of ${step} for ${nodes.vcpu} vCPU`;
	const named = [sip.tlsSecrets ?? {}, livekitUrls, countries].flatMap((setting) => Object.keys(setting));
	const stranger = named.find((name) => !regions.includes(name));
	if (stranger !== undefined) return `${stranger} has a setting but is no region of the stage`;
	if (domain === undefined) return undefined;
	if (zones < 2) return "domain: the load balancer of the API needs zones to be 2 or more";
	return domain.name === domain.zone || domain.name.endsWith(`.${domain.zone}`)
		? undefined
		: `domain: ${domain.name} is not in the zone ${domain.zone}`;
}

function networksOf({ providers, networks, fixedOutboundAddresses }: Given["sip"]): string[] {
	const published = providers.flatMap((id) => {
		const found = signallingNetworks(id);
		if (found.length === 0)
			throw new SettingsError(
				`sip.providers: ${providerProfile(id).name} does not publish all addresses that its calls come from; put yours into sip.networks`,
			);
		return found;
	});
	// IPv6 ones of a provider are of no use: the load balancer's UDP has IPv4 alone.
	const blocks = [...new Set([...published, ...networks].map(blockOf).filter((block) => block !== undefined))];
	if (blocks.length > MOST_NETWORKS)
		throw new SettingsError(
			`sip: ${blocks.length} networks are more than the ${MOST_NETWORKS} that a security group has room for; name larger blocks in sip.networks`,
		);
	if (fixedOutboundAddresses && blocks.length === 0)
		throw new SettingsError(
			"sip.fixedOutboundAddresses needs sip.providers or sip.networks: the networks that are reached from fixed addresses",
		);
	return blocks;
}
