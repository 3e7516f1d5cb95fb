import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { DescribeNetworkInterfacesCommand, type DescribeNetworkInterfacesCommandOutput, EC2Client } from "@aws-sdk/client-ec2";
import {
	type BurialDeps,
	buryDead,
	type CallStore,
	endStrays,
	endUnclaimed,
	NODE_DEAD_AFTER_MS,
	NODE_HEARTBEAT_MS,
} from "@trunkline/domain";
import type { Logger, Metrics } from "@trunkline/observability";
import { DynamoCallStore, DynamoNodeRegistry } from "@trunkline/store";
import type { NodeConfig } from "./config.ts";
import { SettingError } from "./config.ts";
import { CpuShare } from "./fleet/cpu.ts";
import { Membership } from "./fleet/membership.ts";
import { type AddressSource, type EcsTask, ecsTask, publicAddress } from "./fleet/public-address.ts";
import { removalFrom } from "./fleet/room-removal.ts";
import { setBy, TableClock } from "./fleet/table-clock.ts";
import { TaskProtection } from "./fleet/task-protection.ts";
import { reachesItself } from "./transport/hairpin.ts";
import { stunAddress } from "./transport/stun-client.ts";
import type { MediaNode, MediaNodeOptions } from "./wire.ts";

/** Who a node is, known before it opens anything. */
export interface Identity {
	advertisedAddress: string;
	source: AddressSource;
	build: string;
	task?: EcsTask;
}

/** Without ECS and BUILD all nodes are of one build. */
const NO_BUILD = "unknown";
const STUN_PORT = 3478;
/** A node looks for calls on record that it does not have each so many heartbeats: a minute. */
const STRAYS_EVERY = 12;

/** Finds the node's public address and what it is a part of. Rejects with a SettingError when the address cannot be known: better no node than calls without audio. */
export async function identityOf(config: NodeConfig, log: Logger): Promise<Identity> {
	const { metadataUri, build, stunServer, vpcId } = config.fleet;
	const task = metadataUri === undefined ? undefined : await ecsTask(metadataUri);
	const ec2 = task === undefined ? undefined : new EC2Client({ region: config.awsRegion, maxAttempts: 3 });
	try {
		const { address, source } = await publicAddress({
			configured: config.advertisedAddress,
			task,
			publicAddressOf: async (privateAddress) => (ec2 === undefined ? undefined : publicAddressOf(ec2, privateAddress, vpcId)),
			askStun: stunServer === undefined ? undefined : () => stunAddress(hostAndPort(stunServer)),
			interfaceAddress: () => interfaceAddress(config.sipHost),
			sleep: (ms) => delay(ms),
			log,
		});
		await tellAddress(address, source, config.sipHost, log);
		return { advertisedAddress: address, source, build: build ?? task?.build ?? NO_BUILD, ...(task === undefined ? {} : { task }) };
	} catch (error) {
		throw new SettingError(error instanceof Error ? error.message : String(error), { cause: error });
	} finally {
		ec2?.destroy();
	}
}

/** EC2's answer for the interface with this private address. `vpcId`: of this network alone, as another stage's has the same private addresses. */
export async function publicAddressOf(
	ec2: { send(command: DescribeNetworkInterfacesCommand): Promise<DescribeNetworkInterfacesCommandOutput> },
	privateAddress: string,
	vpcId?: string,
): Promise<string | undefined> {
	const own = vpcId === undefined ? [] : [{ Name: "vpc-id", Values: [vpcId] }];
	const { NetworkInterfaces = [] } = await ec2.send(
		new DescribeNetworkInterfacesCommand({ Filters: [{ Name: "addresses.private-ip-address", Values: [privateAddress] }, ...own] }),
	);
	const found = NetworkInterfaces.map(({ Association }) => Association?.PublicIp).filter((ip) => ip !== undefined);
	if (found.length > 1) throw new Error(`EC2 has several interfaces with the address ${privateAddress}: set VPC_ID or ADVERTISED_ADDRESS`);
	return found[0];
}

async function tellAddress(advertisedAddress: string, source: AddressSource, sipHost: string, log: Logger): Promise<void> {
	const reached = await reachesItself(advertisedAddress, sipHost);
	const fields = { advertisedAddress, source };
	if (reached) log.info({ ...fields, tested: true }, "telephones are told this address; a packet to it came back");
	else log.warn({ ...fields, tested: false }, "telephones are told this address; a packet to it did not come back, as is usual behind NAT");
}

/** The first address of this machine that is not loopback. */
function interfaceAddress(host: string): string | undefined {
	const family = host === "::" ? "IPv6" : "IPv4";
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	return addresses.find((one) => one.family === family && !one.internal && !one.address.startsWith("fe80"))?.address;
}

function hostAndPort(text: string): { host: string; port: number } {
	const { hostname, port } = new URL(`stun://${text}`);
	return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? STUN_PORT : Number(port) };
}

/** What a node needs of the fleet before it opens, and how it joins afterwards. */
export function fleetOf(config: NodeConfig, identity: Identity, parts: FleetParts) {
	const { dynamo, log } = parts;
	const table = { client: dynamo, table: config.callsTable };
	const { heartbeatMs, relayPort } = config.fleet;
	const deadAfterMs = (heartbeatMs * NODE_DEAD_AFTER_MS) / NODE_HEARTBEAT_MS;
	const registry = new DynamoNodeRegistry({ ...table, deadAfterMs });
	const cpu = new CpuShare();
	const clock = new TableClock({ now: Date.now, log });
	setBy(clock, dynamo, Date.now);
	let membership: Membership | undefined;
	const peers = { liveNodes: async (region: string, now: number) => (await registry.liveNodes(region, now)).flatMap(withRelay) };
	const relay =
		relayPort === undefined
			? {}
			: {
					relay: {
						registry: peers,
						bindHost: config.sipHost,
						port: relayPort,
						address: identity.task?.privateAddress ?? ownAddress(config),
					},
				};
	const join = async (node: MediaNode, told: Told): Promise<Joined> => {
		const burial: BurialDeps = {
			region: config.region,
			by: node.nodeId,
			registry,
			owned: new DynamoCallStore(table),
			calls: told.callStore,
			removeFromRoom: removalFrom(async (projectId) => (await told.projects?.livekit(projectId)) ?? config.livekit),
			deleteCommandQueue: parts.deleteQueue,
			now: clock.now,
			log,
		};
		const strays = strayCalls(burial, node);
		const { agentUri, maxAgeMs } = config.fleet;
		const protection = agentUri === undefined ? undefined : new TaskProtection({ agentUri, now: Date.now, log });
		const joined = new Membership({
			registry,
			own: {
				nodeId: node.nodeId,
				region: config.region,
				build: identity.build,
				advertised: { address: identity.advertisedAddress, sipPort: node.sipPort },
				...(node.relayAddress === undefined ? {} : { relay: node.relayAddress }),
				...(parts.commandUrl === undefined ? {} : { commandQueueUrl: parts.commandUrl }),
				...(identity.task === undefined ? {} : { task: identity.task.arn }),
			},
			read: () => ({ ...node.load(), state: node.draining ? "draining" : "ready", cpuShare: cpu.read() }),
			bury: async () => {
				await buryDead(burial)
					.then(async ({ nodes }) => {
						if (nodes > 0) parts.metrics.record("DeadNodesBuried", nodes);
						await endUnclaimed(burial);
						await strays.look();
					})
					.catch((error: unknown) => log.warn({ err: error }, "dead nodes could not be looked for"));
			},
			onBuried: told.onBuried,
			onSuperseded: told.onSuperseded,
			onBeat: (calls) => void protection?.update(calls),
			...(maxAgeMs === undefined ? {} : { maxAgeMs }),
			now: clock.now,
			sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
			...{ heartbeatMs, deadAfterMs },
			log,
		});
		membership = joined;
		await joined.start();
		return {
			tell: () => joined.tell(),
			leave: async () => {
				await joined.stop(!(await strays.endAll()));
				await protection?.off();
			},
		};
	};
	// Whom nobody knows nobody would bury.
	const silent = (): boolean => membership?.silent ?? true;
	return { options: { ...relay, busy: () => cpu.full, silent, sharedNow: clock.now }, join };
}

/** Calls that are this node's on record, and that it does not have. */
function strayCalls(burial: BurialDeps, node: MediaNode) {
	const own = { nodeId: node.nodeId, has: (callId: string) => node.has(callId) };
	let looks = 0;
	let seen: ReadonlySet<string> = new Set();
	return {
		/** For each heartbeat. Rejects with the store's error. */
		look: async (): Promise<void> => {
			looks += 1;
			if (looks % STRAYS_EVERY === 0) seen = await endStrays(burial, { ...own, calls: node.stats().calls }, seen);
		},
		/** For a node whose calls are over. False: some may be left. */
		endAll: async (): Promise<boolean> => {
			try {
				await endStrays(burial, { ...own, calls: 0 }, "all");
				return true;
			} catch (error) {
				burial.log.warn({ err: error }, "calls of this node may be live on record still; peers end them");
				return false;
			}
		},
	};
}

interface FleetParts {
	dynamo: ConstructorParameters<typeof DynamoCallStore>[0]["client"];
	commandUrl: string | undefined;
	deleteQueue(url: string): Promise<void>;
	metrics: Metrics;
	log: Logger;
}

interface Told {
	callStore: CallStore;
	projects?: MediaNodeOptions["projects"];
	onBuried(): void;
	onSuperseded(why: string): void;
}

export interface Joined {
	/** the node has begun to drain */
	tell(): Promise<void>;
	/** for a node whose calls are over */
	leave(): Promise<void>;
}

type Registered = Awaited<ReturnType<DynamoNodeRegistry["liveNodes"]>>[number];

/** A node that takes nothing from peers is nobody to pass calls to. */
const withRelay = ({ relay, ...node }: Registered) => (relay === undefined ? [] : [{ ...node, relay }]);

const ownAddress = ({ sipHost }: NodeConfig): string =>
	sipHost === "0.0.0.0" || sipHost === "::" ? (interfaceAddress(sipHost) ?? sipHost) : sipHost;
