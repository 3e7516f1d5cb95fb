import type { TransferOutcome, TransferRecord } from "@trunkline/domain";
import { captureLogs, MemoryTransferStore } from "@trunkline/testkit";
import { expect, test } from "vitest";
import type { LiveCall } from "../call/ports.ts";
import { Transfers } from "./transfers.ts";

const DONE: TransferOutcome = { status: "successful", reason: "completed" };
const transfer = (callId = "SCL_1"): TransferRecord => ({
	projectId: "p",
	callId,
	command: { transferId: "STR_1", transferTo: "tel:+1", playDialtone: false, headers: {}, ringingTimeoutMs: 30_000 },
	state: "requested",
	expiresAtSeconds: 4_000_000_000,
});

async function setUp(record = transfer()) {
	const store = new MemoryTransferStore();
	await store.createTransfer(record);
	const told: unknown[] = [];
	const live: LiveCall = { callId: "SCL_1", dispatch: (event) => void told.push(event) };
	const log = captureLogs();
	const transfers = new Transfers({ store, call: (callId) => (callId === "SCL_1" ? live : undefined), log });
	const outcome = async () => (await store.getTransfer("STR_1"))?.outcome;
	return { store, told, transfers, outcome, log };
}

test("taken once, given to its call; what came of it is written", async () => {
	const { told, transfers, outcome } = await setUp();
	await transfers.take("STR_1", "SCL_1");
	await transfers.take("STR_1", "SCL_1");
	expect(told).toEqual([{ type: "transfer", command: transfer().command }]);
	transfers.settle(["STR_1", "STR_none"], DONE);
	await transfers.settled();
	expect(await outcome()).toEqual(DONE);
});

test("noise suppression goes to its call, once", async () => {
	const command = { transferId: "STR_1", noiseSuppression: { uplink: true, downlink: false, mix: 1 } };
	const { told, transfers } = await setUp({ ...transfer(), command });
	await transfers.take("STR_1", "SCL_1");
	await transfers.take("STR_1", "SCL_1");
	expect(told).toEqual([{ type: "suppress", command }]);
});

test("a call that is not here is told so", async () => {
	const { told, transfers, outcome } = await setUp(transfer("SCL_2"));
	await transfers.take("STR_1", "SCL_1");
	await transfers.settled();
	expect(told).toEqual([]);
	expect(await outcome()).toMatchObject({ status: "failed", refused: "gone" });
});

test("one that was given up does not begin", async () => {
	const { store, told, transfers } = await setUp();
	await store.settleTransfer("STR_1", ["requested"], DONE);
	await transfers.take("STR_1", "SCL_1");
	expect(told).toEqual([]);
});

test("a table that fails is noted, and nothing else comes of it", async () => {
	const { store, transfers, log } = await setUp();
	store.settleTransfer = async () => {
		throw new Error("no table");
	};
	transfers.settle(["STR_1"], DONE);
	await transfers.settled();
	expect(log.logs.map(({ level }) => level)).toEqual(["error"]);
});

test("a target that the policy is against gets no REFER", async () => {
	const { store, told, log } = await setUp();
	const live: LiveCall = { callId: "SCL_1", dispatch: (event) => void told.push(event) };
	const transfers = new Transfers({ store, call: () => live, log, mayCall: async (projectId, [target]) => `${projectId}: not ${target}` });
	await transfers.take("STR_1", "SCL_1");
	await transfers.settled();
	expect(told).toEqual([]);
	expect((await store.getTransfer("STR_1"))?.outcome).toEqual({ status: "failed", reason: "rejected", message: "p: not tel:+1" });
});
