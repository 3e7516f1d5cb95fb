import type { CallRecord, DialMessage } from "@trunkline/contracts";
import type { AbortSignalLike, DialQueue, Received } from "@trunkline/domain";
import { callRecord, captureLogs, MemoryCallStore } from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { Intake } from "./intake.ts";

const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";

let now: number;
let queue: HandQueue;
let calls: TroubledStore;

beforeEach(async () => {
	now = START;
	queue = new HandQueue();
	calls = new TroubledStore();
	await calls.createCall(callRecord({ callId: CALL_ID, createdAt: START }));
});

/** A queue in the hand of the test: `deliver` is what the next receive gives. */
class HandQueue implements DialQueue {
	readonly asked: number[] = [];
	readonly did: string[] = [];
	ackError: Error | undefined;
	#next = Promise.withResolvers<Received<DialMessage>[]>();

	async send(): Promise<void> {}

	async receive(max: number, _waitMs: number, signal?: AbortSignalLike): Promise<Received<DialMessage>[]> {
		this.asked.push(max);
		const aborted = new Promise<Received<DialMessage>[]>((resolve) => signal?.addEventListener("abort", () => resolve([])));
		return Promise.race([this.#next.promise, aborted]);
	}

	async deliver(...messages: Partial<DialMessage>[]): Promise<void> {
		const { resolve } = this.#next;
		this.#next = Promise.withResolvers();
		resolve(messages.map((message) => this.#received(message)));
		await settle();
	}

	async fail(error: Error): Promise<void> {
		const { reject } = this.#next;
		this.#next = Promise.withResolvers();
		reject(error);
		await settle();
	}

	#received(message: Partial<DialMessage>): Received<DialMessage> {
		const whole: DialMessage = {
			version: 1,
			type: "dial",
			projectId: "project",
			callId: CALL_ID,
			region: "local",
			enqueuedAt: START,
			...message,
		};
		return {
			message: whole,
			ack: async () => {
				this.did.push(`ack ${whole.callId}`);
				if (this.ackError !== undefined) throw this.ackError;
			},
			release: async () => void this.did.push(`release ${whole.callId}`),
		};
	}
}

class TroubledStore extends MemoryCallStore {
	/** before the claim is written, and before its answer arrives */
	beforeClaim: () => unknown = () => {};
	afterClaim: () => unknown = () => {};

	constructor() {
		super({ now: () => now });
	}

	override async claimCall(...given: Parameters<MemoryCallStore["claimCall"]>): ReturnType<MemoryCallStore["claimCall"]> {
		await this.beforeClaim();
		const claimed = await super.claimCall(...given);
		await this.afterClaim();
		return claimed;
	}
}

function intake(changes: { nodeId?: string; room?: () => number; run?: (record: CallRecord, dialled: () => void) => void } = {}) {
	const runs: { record: CallRecord; dialled: () => void }[] = [];
	const slept: number[] = [];
	const log = captureLogs();
	const worker = new Intake({
		queue,
		calls,
		nodeId: changes.nodeId ?? "ND_1",
		region: "local",
		room: changes.room ?? (() => 100),
		run: changes.run ?? ((record, dialled) => void runs.push({ record, dialled })),
		now: () => now,
		sleep: async (ms, signal) => {
			slept.push(ms);
			// Wakes when stopped, or when the test has let others run for a while.
			for (let i = 0; i < 50 && !signal.aborted; i++) await Promise.resolve();
		},
		log,
	});
	worker.start();
	return { worker, runs, slept, log };
}

/** The loop and the store have many promises between them. */
async function settle(): Promise<void> {
	for (let i = 0; i < 200; i++) await Promise.resolve();
}

describe("a dial request", () => {
	it("is claimed, run once, and acknowledged only when the call can no longer be lost", async () => {
		const { worker, runs } = intake();
		await queue.deliver({});
		expect(runs.map(({ record }) => record)).toMatchObject([
			{ callId: CALL_ID, state: "claimed", owner: "ND_1", leaseUntil: START + 15_000 },
		]);
		expect(queue.did).toEqual([]);
		runs[0]?.dialled();
		await settle();
		expect(queue.did).toEqual([`ack ${CALL_ID}`]);
		await worker.stop();
	});

	it("delivered again while the call is being prepared here: left alone, and nothing is lost should we die", async () => {
		const { worker, runs } = intake();
		await queue.deliver({}, {});
		await queue.deliver({});
		now += 60_000;
		await queue.deliver({});
		expect(runs).toHaveLength(1);
		expect(queue.did).toEqual([]);
		await worker.stop();
	});

	it("delivered again when the call is being dialled or over: deleted", async () => {
		const { worker, runs } = intake();
		await calls.claimCall(CALL_ID, "ND_2", START, START + 15_000);
		await calls.transitionCall(CALL_ID, { from: ["claimed"], to: "dialing", at: START, event: "dialing" });
		now += 60_000;
		await queue.deliver({}, { callId: "SCL_unknown11111" });
		expect(runs).toEqual([]);
		expect(queue.did).toEqual([`ack ${CALL_ID}`, "ack SCL_unknown11111"]);
		await worker.stop();
	});

	it("of a node that died: left while its lease runs, taken over after it", async () => {
		await calls.claimCall(CALL_ID, "ND_dead", START, START + 15_000);
		const { worker, runs } = intake();
		now = START + 14_999;
		await queue.deliver({});
		expect([runs, queue.did]).toEqual([[], []]);
		now = START + 15_000;
		await queue.deliver({});
		expect(runs.map(({ record }) => record.owner)).toEqual(["ND_1"]);
		await worker.stop();
	});

	it("whose claim was written but whose answer was lost: run when it is delivered again", async () => {
		calls.afterClaim = () => {
			calls.afterClaim = () => {};
			throw new Error("connection reset");
		};
		const { worker, runs, log } = intake();
		await queue.deliver({});
		expect([runs, queue.did]).toEqual([[], []]);
		expect(log.text()).toContain("claiming a call failed");
		now += 30_000;
		await queue.deliver({});
		expect(runs.map(({ record }) => record.callId)).toEqual([CALL_ID]);
		await worker.stop();
	});

	it("delivered again when the call came to nothing here and its end is not written yet: not run again; taken over and lost by another node, it is", async () => {
		const { worker, runs } = intake();
		await queue.deliver({});
		runs[0]?.dialled();
		await settle();
		await queue.deliver({});
		expect(runs).toHaveLength(1);
		expect(queue.did).toEqual([`ack ${CALL_ID}`, `ack ${CALL_ID}`]);
		now += 15_000;
		await calls.claimCall(CALL_ID, "ND_2", now, now + 15_000);
		await queue.deliver({});
		now += 15_000;
		await queue.deliver({});
		expect(runs.map(({ record }) => record.owner)).toEqual(["ND_1", "ND_1"]);
		expect(queue.did).toHaveLength(2);
		await worker.stop();
	});

	it("delivered twice while the answer to its claim is slow: run once", async () => {
		const answer = Promise.withResolvers<void>();
		calls.afterClaim = () => {
			calls.afterClaim = () => {};
			return answer.promise;
		};
		const { worker, runs } = intake();
		await queue.deliver({}, {});
		answer.resolve();
		await settle();
		expect(runs).toHaveLength(1);
		await worker.stop();
	});

	it("two nodes: exactly one runs it", async () => {
		const other = new HandQueue();
		const first = intake();
		const queueOfFirst = queue;
		queue = other;
		const second = intake({ nodeId: "ND_2" });
		await Promise.all([queueOfFirst.deliver({}), other.deliver({})]);
		expect(first.runs.length + second.runs.length).toBe(1);
		await Promise.all([first.worker.stop(), second.worker.stop()]);
	});

	it("too late: the call is ended, not dialled", async () => {
		const { worker, runs } = intake();
		now = START + 9_001;
		await queue.deliver({});
		expect(runs).toEqual([]);
		expect(await calls.getCall(CALL_ID)).toMatchObject({ state: "ended", end: { by: "node", reason: "not-claimed" } });
		expect(queue.did).toEqual([`ack ${CALL_ID}`]);
		await worker.stop();
	});

	it("of another region: neither claimed nor deleted nor given back at once", async () => {
		const { worker, runs, log } = intake();
		await queue.deliver({ region: "eu-central-1" });
		expect([runs, queue.did]).toEqual([[], []]);
		expect((await calls.getCall(CALL_ID))?.state).toBe("queued");
		expect(log.text()).toContain("another region");
		await worker.stop();
	});

	it("that cannot be started ends its call, and the next one is run", async () => {
		const ran: string[] = [];
		await calls.createCall(callRecord({ callId: "SCL_222222222222", createdAt: START }));
		const { worker } = intake({
			run: (record) => {
				if (record.callId === CALL_ID) throw new Error("no dial request");
				ran.push(record.callId);
			},
		});
		await queue.deliver({}, { callId: "SCL_222222222222" });
		expect(await calls.getCall(CALL_ID)).toMatchObject({ state: "ended", end: { reason: "internal-error", message: "no dial request" } });
		expect(ran).toEqual(["SCL_222222222222"]);
		expect(queue.did).toEqual([`ack ${CALL_ID}`]);
		await worker.stop();
	});
});

describe("trouble", () => {
	it("an acknowledgement that fails is logged, no more", async () => {
		const { worker, runs, log } = intake();
		await queue.deliver({});
		queue.ackError = new Error("SQS is away");
		runs[0]?.dialled();
		await settle();
		expect(log.logs.map(({ level, message }) => `${level} ${message}`)).toEqual([
			"warn a dial request could not be deleted from the queue",
		]);
		await worker.stop();
	});

	it("a receive that fails is tried again after a second, not at once", async () => {
		const { worker, slept, runs } = intake();
		await settle();
		await queue.fail(new Error("SQS is away"));
		await settle();
		expect(slept).toEqual([1_000]);
		await queue.deliver({});
		expect(runs).toHaveLength(1);
		await worker.stop();
	});

	it("a full node does not ask; one with little room asks for little", async () => {
		let free = 0;
		const { worker, slept } = intake({ room: () => free });
		await settle();
		expect(queue.asked).toEqual([]);
		expect(slept.every((ms) => ms === 200) && slept.length > 0).toBe(true);
		free = 3;
		await settle();
		expect(queue.asked).toEqual([3]);
		free = 100;
		await queue.deliver();
		expect(queue.asked).toEqual([3, 10]);
		await worker.stop();
	});
});

describe("stop", () => {
	it("ends a long poll at once; nothing is asked after it", async () => {
		const { worker } = intake();
		await settle();
		await worker.stop();
		await settle();
		expect(queue.asked).toEqual([10]);
	});

	it("ends a pause of a full node, and is idempotent", async () => {
		const { worker } = intake({ room: () => 0 });
		await settle();
		await Promise.all([worker.stop(), worker.stop()]);
		expect(queue.asked).toEqual([]);
	});

	it("a message that comes with it is given back unclaimed", async () => {
		const { worker, runs } = intake();
		await settle();
		const delivered = queue.deliver({});
		const stopped = worker.stop();
		await Promise.all([delivered, stopped]);
		expect(runs).toEqual([]);
		expect(queue.did).toEqual([`release ${CALL_ID}`]);
		expect((await calls.getCall(CALL_ID))?.state).toBe("queued");
	});

	it("a call that is being claimed just then is queued again, so that another node has it at once", async () => {
		const claim = Promise.withResolvers<void>();
		calls.beforeClaim = () => claim.promise;
		const { worker, runs } = intake();
		await settle();
		const delivered = queue.deliver({});
		await settle();
		const stopped = worker.stop();
		claim.resolve();
		await Promise.all([delivered, stopped]);
		expect(runs).toEqual([]);
		expect(queue.did).toEqual([`release ${CALL_ID}`]);
		calls.beforeClaim = () => {};
		expect(await calls.claimCall(CALL_ID, "ND_2", now, now + 15_000)).toMatchObject({ owner: "ND_2" });
	});
});

it("a node that is nearly full claims no more than fits, however many messages come at once; the others go back", async () => {
	await calls.createCall(callRecord({ callId: "SCL_222222222222", createdAt: START }));
	let claiming = (): number => 0;
	const taken: string[] = [];
	const { worker } = intake({ room: () => 1 - claiming() - taken.length, run: ({ callId }) => void taken.push(callId) });
	claiming = () => worker.claiming;
	await queue.deliver({}, { callId: "SCL_222222222222" });
	expect(taken).toEqual([CALL_ID]);
	expect(queue.did).toEqual(["release SCL_222222222222"]);
	expect(worker.claiming).toBe(0);
	await worker.stop();
});
