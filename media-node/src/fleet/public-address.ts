/** What ECS tells a task of itself. */
export interface EcsTask {
	arn: string;
	/** family:revision of its definition: another one with every deployment that changed something */
	build: string;
	privateAddress: string | undefined;
}

/** Where an address came from; in the order in which it is looked for. */
export type AddressSource = "ADVERTISED_ADDRESS" | "EC2" | "STUN" | "interface";

export interface PublicAddressOptions {
	/** ADVERTISED_ADDRESS, or SIP_HOST when that is an address */
	configured?: string | undefined;
	/** undefined: not on ECS */
	task?: Pick<EcsTask, "privateAddress"> | undefined;
	/** The public address of the network interface that has this private one; undefined: it has none yet. */
	publicAddressOf(privateAddress: string): Promise<string | undefined>;
	/** STUN_SERVER asked; undefined: there is none */
	askStun?: (() => Promise<string>) | undefined;
	/** of this machine; undefined: none but loopback */
	interfaceAddress(): string | undefined;
	sleep(ms: number): Promise<void>;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** The association of a public address lags behind the start of a task. */
const EC2_TRIES = 15;
const EC2_PAUSE_MS = 2_000;

/**
 * The address that telephones reach this node at: what is configured, what EC2 knows of the task's interface, what a STUN server sees, this machine's own. Rejects
 * when none is known: a node that advertises a wrong one has calls without audio. Takes up to 30 s on ECS.
 */
export async function publicAddress(options: PublicAddressOptions): Promise<{ address: string; source: AddressSource }> {
	const { configured, task, askStun, interfaceAddress } = options;
	if (configured !== undefined) return { address: configured, source: "ADVERTISED_ADDRESS" };
	if (task?.privateAddress !== undefined) {
		const address = await associated(options, task.privateAddress);
		if (address !== undefined) return { address, source: "EC2" };
	}
	if (askStun !== undefined) return { address: await askStun(), source: "STUN" };
	if (task !== undefined)
		throw new Error("EC2 knows no public address of this task: is it in a public subnet? Set ADVERTISED_ADDRESS or STUN_SERVER");
	const address = interfaceAddress();
	if (address === undefined) throw new Error("ADVERTISED_ADDRESS must be set: this machine has no address but loopback");
	return { address, source: "interface" };
}

async function associated({ publicAddressOf, sleep, log }: PublicAddressOptions, privateAddress: string): Promise<string | undefined> {
	for (let i = 0; i < EC2_TRIES; i++) {
		if (i > 0) await sleep(EC2_PAUSE_MS);
		try {
			const address = await publicAddressOf(privateAddress);
			if (address !== undefined) return address;
		} catch (error) {
			log.warn({ err: error }, "EC2 could not be asked for this task's public address; it is asked again");
		}
	}
	return undefined;
}

/** Asks ECS' metadata endpoint, version 4. Rejects when it does not answer as documented. */
export async function ecsTask(metadataUri: string): Promise<EcsTask> {
	const answer = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(5_000) });
	if (!answer.ok) throw new Error(`the ECS metadata endpoint answered ${answer.status}`);
	const task = (await answer.json()) as {
		TaskARN?: string;
		Family?: string;
		Revision?: string;
		Containers?: { Networks?: { IPv4Addresses?: string[] }[] }[];
	};
	if (task.TaskARN === undefined) throw new Error("the ECS metadata endpoint tells no task");
	const addresses = (task.Containers ?? []).flatMap(({ Networks = [] }) => Networks.flatMap(({ IPv4Addresses = [] }) => IPv4Addresses));
	return { arn: task.TaskARN, build: `${task.Family ?? ""}:${task.Revision ?? ""}`, privateAddress: addresses[0] };
}
