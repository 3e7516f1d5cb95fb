import type { CommandMessage } from "@trunkline/contracts";
import type { TransferCommand, TransferOutcome } from "@trunkline/domain";
import { callRecord, captureLogs, MemoryTransferStore } from "@trunkline/testkit";
import { describe, expect, test } from "vitest";
import { transferBy } from "./transfer-call.ts";

const START = 1_700_000_000_000;
const DONE: TransferOutcome = { status: "successful", reason: "completed", sipStatus: { code: 200, reason: "OK" } };
const call = callRecord({ callId: "SCL_1", createdAt: START, projectId: "p", state: "active", owner: "ND_1" });
const command = (over: Partial<TransferCommand> = {}): TransferCommand => ({
	transferId: "STR_1",
	transferTo: "tel:+15550100",
	playDialtone: false,
	headers: {},
	ringingTimeoutMs: 30_000,
	...over,
});

/** Time goes on as the API sleeps; `node` sees each message and may act on the store, and `at` what happens later. */
function setUp(node: (store: MemoryTransferStore, message: CommandMessage) => Promise<unknown> = async () => {}) {
	let now = START;
	const store = new MemoryTransferStore();
	const sent: CommandMessage[] = [];
	const later: [ms: number, act: () => Promise<unknown>][] = [];
	let reads = 0;
	const transfers = Object.assign(Object.create(store) as MemoryTransferStore, {
		createTransfer: store.createTransfer.bind(store),
		getTransfer: async (id: string) => {
			reads += 1;
			return store.getTransfer(id);
		},
		takeTransfer: store.takeTransfer.bind(store),
		settleTransfer: store.settleTransfer.bind(store),
	});
	const transfer = transferBy({
		transfers,
		commandQueue: (nodeId) => ({
			send: async (message) => {
				expect(nodeId).toBe(message.nodeId);
				sent.push(message);
				await node(store, message);
			},
			receive: async () => [],
		}),
		clock: () => now,
		sleep: async (ms) => {
			now += ms;
			for (const [at, act] of later.splice(0)) {
				if (now - START >= at) await act();
				else later.push([at, act]);
			}
		},
		log: captureLogs() as unknown as Parameters<typeof transferBy>[0]["log"],
	});
	return {
		transfer,
		store,
		sent,
		at: (ms: number, act: () => Promise<unknown>) => void later.push([ms, act]),
		elapsed: () => now - START,
		reads: () => reads,
	};
}
const take = (store: MemoryTransferStore): Promise<unknown> => store.takeTransfer("STR_1");

describe("a transfer by way of the call's node", () => {
	test("is written down, told to the node, and its outcome given back", async () => {
		const api = setUp(take);
		api.at(2_000, () => api.store.settleTransfer("STR_1", ["ongoing"], DONE));
		expect(await api.transfer(call, command())).toEqual(DONE);
		expect(api.sent).toEqual([
			{ version: 1, type: "transfer", commandId: "STR_1", projectId: "p", callId: "SCL_1", nodeId: "ND_1", sentAt: START },
		]);
		expect(api.elapsed()).toBeLessThan(2_250);
		expect(await api.store.getTransfer("STR_1")).toMatchObject({
			callId: "SCL_1",
			command: command(),
			expiresAtSeconds: START / 1000 + 86_400,
		});
	});

	test("no node takes it: given up after 5 s, and cannot begin later", async () => {
		const api = setUp();
		expect(await api.transfer(call, command())).toMatchObject({ status: "failed", refused: "gone" });
		expect(api.elapsed()).toBeGreaterThanOrEqual(5_000);
		expect(api.elapsed()).toBeLessThan(5_300);
		expect(await api.store.takeTransfer("STR_1")).toBeUndefined();
	});

	test("the node that took it dies: the ringing timeout, within the SDK's own 2 s beyond it", async () => {
		const api = setUp(take);
		expect(await api.transfer(call, command({ ringingTimeoutMs: 10_000 }))).toMatchObject({ status: "failed", reason: "ringing-timeout" });
		expect(api.elapsed()).toBeGreaterThanOrEqual(10_000);
		expect(api.elapsed()).toBeLessThan(12_000);
		expect(api.reads()).toBeLessThan(80);
	});

	test("retries of one request are one transfer", async () => {
		const api = setUp(take);
		api.at(1_000, () => api.store.settleTransfer("STR_1", ["ongoing"], DONE));
		const answers = await Promise.all([api.transfer(call, command()), api.transfer(call, command())]);
		expect(answers).toEqual([DONE, DONE]);
		expect(await api.transfer(call, command())).toEqual(DONE);
		expect(api.sent).toHaveLength(1);
	});

	test("a retry of an attempt that died before it told the node tells it", async () => {
		const api = setUp(async (store) => {
			await take(store);
			await store.settleTransfer("STR_1", ["ongoing"], DONE);
		});
		await api.store.createTransfer({ projectId: "p", callId: "SCL_1", command: command(), state: "requested", expiresAtSeconds: 4e9 });
		expect(await api.transfer(call, command())).toEqual(DONE);
		expect(api.sent).toHaveLength(1);
	});

	test("one id for another target, or another call, is refused", async () => {
		const api = setUp(take);
		api.at(100, () => api.store.settleTransfer("STR_1", ["ongoing"], DONE));
		await api.transfer(call, command());
		await expect(api.transfer(call, command({ transferTo: "tel:+1" }))).rejects.toMatchObject({ code: "already_exists" });
		await expect(api.transfer({ ...call, callId: "SCL_2" }, command())).rejects.toMatchObject({ code: "already_exists" });
	});

	test("the client goes away: no more waiting, the transfer goes on", async () => {
		const api = setUp(take);
		await expect(api.transfer(call, command(), AbortSignal.abort())).rejects.toMatchObject({ code: "canceled" });
		expect(await api.store.settleTransfer("STR_1", ["ongoing"], DONE)).toBe(true);
	});
});
