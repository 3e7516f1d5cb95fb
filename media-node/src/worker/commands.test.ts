import type { CommandMessage } from "@trunkline/contracts";
import type { Received } from "@trunkline/domain";
import { describe, expect, it } from "vitest";
import { Commands } from "./commands.ts";

const NOW = 1_700_000_000_000;
const command = (commandId: string, over: Partial<CommandMessage> = {}): CommandMessage => ({
	version: 1,
	type: "hangup",
	commandId,
	projectId: "p",
	callId: `SCL_${commandId}`,
	nodeId: "ND_1",
	sentAt: NOW,
	...over,
});

/** Runs the commands through a queue that gives these batches, then stops. */
async function run(batches: (CommandMessage[] | Error)[], options: { here?: (callId: string) => boolean; ack?: () => Promise<void> } = {}) {
	const hungUp: string[] = [];
	const transferred: string[] = [];
	const acked: string[] = [];
	const logs: string[] = [];
	const slept: number[] = [];
	let drained: () => void = () => {};
	const done = new Promise<void>((resolve) => {
		drained = resolve;
	});
	const log = (_fields: Record<string, unknown>, message: string): void => void logs.push(message);
	const commands = new Commands({
		queue: {
			send: async () => {},
			receive: async (_max, _waitMs, signal) => {
				const next = batches.shift();
				if (next === undefined) {
					drained();
					await new Promise<void>((resolve) => signal?.addEventListener("abort", resolve));
					return [];
				}
				if (next instanceof Error) throw next;
				return next.map(
					(message): Received<CommandMessage> => ({
						message,
						ack: async () => {
							acked.push(message.commandId);
							await options.ack?.();
						},
						release: async () => {},
					}),
				);
			},
		},
		nodeId: "ND_1",
		hangUp: (callId) => {
			hungUp.push(callId);
			return options.here?.(callId) ?? true;
		},
		transfer: async (transferId, callId) => {
			transferred.push(`${transferId} of ${callId}`);
			if (transferId === "lost") throw new Error("no table");
		},
		now: () => NOW,
		sleep: async (ms) => void slept.push(ms),
		log: { info: log, warn: log, error: log },
	});
	commands.start();
	await done;
	await commands.stop();
	return { hungUp, acked, logs, slept, ...(transferred.length > 0 ? { transferred } : {}) };
}

describe("Commands", () => {
	it("hangs up what it is told to, and acknowledges", async () => {
		expect(await run([[command("a"), command("b")]])).toEqual({
			hungUp: ["SCL_a", "SCL_b"],
			acked: ["a", "b"],
			logs: ["hanging up on command", "hanging up on command"],
			slept: [],
		});
	});

	it("applies a command that is delivered again no second time, and acknowledges it", async () => {
		const { hungUp, acked } = await run([[command("a")], [command("a"), command("a")]]);
		expect(hungUp).toEqual(["SCL_a"]);
		expect(acked).toEqual(["a", "a", "a"]);
	});

	it("also when its acknowledgement fails", async () => {
		const { hungUp, logs } = await run([[command("a")], [command("a")]], { ack: () => Promise.reject(new Error("no queue")) });
		expect(hungUp).toEqual(["SCL_a"]);
		expect(logs).toHaveLength(3);
	});

	it("a call that is not here is over: the command is done", async () => {
		const { acked, logs } = await run([[command("a")]], { here: () => false });
		expect(acked).toEqual(["a"]);
		expect(logs).toEqual(["the call to hang up is over already"]);
	});

	it("applies nothing that is late, or for another node", async () => {
		const { hungUp, acked } = await run([
			[command("a", { sentAt: NOW - 60_001 }), command("b", { nodeId: "ND_2" }), command("c", { sentAt: NOW - 60_000 })],
		]);
		expect(hungUp).toEqual(["SCL_c"]);
		expect(acked).toEqual(["a", "b", "c"]);
	});

	it("goes on after the queue could not be reached", async () => {
		const { hungUp, slept, logs } = await run([new Error("down"), [command("a")]]);
		expect(hungUp).toEqual(["SCL_a"]);
		expect(slept).toEqual([1_000]);
		expect(logs[0]).toBe("receiving commands failed");
	});
});

it("begins transfers, and a transfer that cannot be begun stops nothing", async () => {
	const { hungUp, acked, logs, transferred } = await run([
		[command("lost", { type: "transfer" }), command("a", { type: "transfer", callId: "SCL_1" })],
		[command("a", { type: "transfer", callId: "SCL_1" }), command("b", { nodeId: "ND_2", type: "transfer" })],
	]);
	expect(transferred).toEqual(["lost of SCL_lost", "a of SCL_1"]);
	expect(acked).toEqual(["lost", "a", "a", "b"]);
	expect(hungUp).toEqual([]);
	expect(logs).toEqual(["a transfer could not be begun", "a command for another node was in this node's queue"]);
});
