import { NODE_HEARTBEAT_MS } from "@trunkline/domain";
import * as z from "zod";

const number = (least: number, most: number) =>
	z
		.string()
		.regex(/^\d{1,7}$/, `must be a number from ${least} to ${most}`)
		.transform(Number)
		.pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

const STUN_SERVER = "must be host or host:port, with a port from 1 to 65535";

/** False: the port of host:port is none. */
export function hasPort(text: string): boolean {
	const port = /:(\d{1,5})$/.exec(text)?.[1];
	return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535);
}

/** What a node has to know to be one of many. */
export const FLEET_FIELDS = {
	/** set by ECS */
	ECS_CONTAINER_METADATA_URI_V4: z.url().optional(),
	/** set by ECS */
	ECS_AGENT_URI: z.url().optional(),
	BUILD: z.string().min(1).max(200).optional(),
	NODE_HEARTBEAT_MS: number(100, 60_000).optional(),
	NODE_MAX_AGE_HOURS: number(1, 10_000).optional(),
	PROTECTED_DRAIN_MINUTES: number(0, 2_880).optional(),
	RELAY_PORT: number(0, 65_535).optional(),
	STUN_SERVER: z
		.string()
		.regex(/^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?$/, STUN_SERVER)
		.refine((text) => hasPort(text), STUN_SERVER)
		.optional(),
	VPC_ID: z
		.string()
		.regex(/^vpc-[\da-z]{1,40}$/i, "must be the id of a VPC")
		.optional(),
};

export interface FleetConfig {
	metadataUri?: string;
	agentUri?: string;
	/** unset: as ECS says, or the version of the package */
	build?: string;
	heartbeatMs: number;
	/** unset: age is no reason to go */
	maxAgeMs?: number;
	/** how long calls may go on while the node is protected and drains itself */
	protectedDrainMs: number;
	/** UDP, for peers alone; unset: nothing is passed on between nodes */
	relayPort?: number;
	stunServer?: string;
	/** the network that EC2 is asked for this node's address in */
	vpcId?: string;
}

/** The longest that ECS protects a task without a renewal. */
const PROTECTED_DRAIN_MINUTES = 120;

export function fleetOptions(settings: z.infer<z.ZodObject<typeof FLEET_FIELDS>>): FleetConfig {
	const { ECS_CONTAINER_METADATA_URI_V4: metadataUri, ECS_AGENT_URI: agentUri, BUILD: build, RELAY_PORT: relayPort } = settings;
	const { STUN_SERVER: stunServer, NODE_MAX_AGE_HOURS: hours, VPC_ID: vpcId } = settings;
	return {
		...(metadataUri === undefined ? {} : { metadataUri }),
		...(agentUri === undefined ? {} : { agentUri }),
		...(build === undefined ? {} : { build }),
		heartbeatMs: settings.NODE_HEARTBEAT_MS ?? NODE_HEARTBEAT_MS,
		...(hours === undefined ? {} : { maxAgeMs: hours * 3_600_000 }),
		protectedDrainMs: (settings.PROTECTED_DRAIN_MINUTES ?? PROTECTED_DRAIN_MINUTES) * 60_000,
		...(relayPort === undefined ? {} : { relayPort }),
		...(stunServer === undefined ? {} : { stunServer }),
		...(vpcId === undefined ? {} : { vpcId }),
	};
}
