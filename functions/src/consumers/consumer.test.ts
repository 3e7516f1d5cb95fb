import { describe, expect, it, vi } from "vitest";
import { eventsFromEnvironment } from "../wire.ts";
import { consumer } from "./consumer.ts";

const environment = {
	AWS_REGION: "eu-west-1",
	CONFIG_TABLE: "config",
	CALLS_TABLE: "calls",
	API_KEYS: '{"k":{"secret":"s3cr3t","projectId":"p"}}',
	EVENT_BUS: "bus",
	LOG_LEVEL: "silent",
};
const record = (pk?: string) => ({ dynamodb: { Keys: pk === undefined ? {} : { pk: { S: pk } } } });

function handle(due: boolean[] = [], failing = false) {
	const calls: string[] = [];
	let sweeps = 0;
	const { callIdOf } = eventsFromEnvironment(environment);
	const run = consumer({
		callIdOf,
		deliverer: {
			deliverCall: async (callId) => {
				calls.push(callId);
				if (failing) throw new Error("no table");
				return true;
			},
			deliverDue: async () => {
				sweeps++;
				return due.shift() ?? false;
			},
		},
	});
	return { run, calls, sweeps: () => sweeps };
}
const context = (ms: number) => ({ getRemainingTimeInMillis: () => ms });

describe("consumer", () => {
	it("delivers each call of a stream's batch once, and nothing that is no call", async () => {
		const { run, calls, sweeps } = handle();
		await run({ Records: [record("call#SCL_1"), record("call#SCL_2"), record("call#SCL_1"), record("node#ND_1"), record()] }, context(1e6));
		expect(calls).toEqual(["SCL_1", "SCL_2"]);
		expect(sweeps()).toBe(0);
	});

	it("fails the batch when the table cannot be reached", async () => {
		await expect(handle([], true).run({ Records: [record("call#SCL_1")] }, context(1e6))).rejects.toThrow("no table");
	});

	it("on schedule, until nothing is due or the time is short", async () => {
		const all = handle([true, true, false]);
		await all.run({}, context(1e6));
		expect(all.sweeps()).toBe(3);
		const short = handle([true, true, true, true]);
		await short.run({}, context(59_000));
		expect(short.sweeps()).toBe(1);
	});

	it("is a Lambda handler, wired from the environment", async () => {
		for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
		const { handler } = await import("../handlers/events.ts");
		expect(await handler({ Records: [record("node#ND_1")] }, context(1e6))).toBeUndefined();
		vi.unstubAllEnvs();
	});

	it.each([
		[{ CALLS_TABLE: undefined }, /^bad environment: CALLS_TABLE: /],
		[{ WEBHOOK_TARGETS: "anywhere" }, /^bad environment: WEBHOOK_TARGETS: /],
		[{ API_KEYS: "{s3cr3t" }, /^bad environment: API_KEYS: is no JSON$/],
	])("%j is named", (over, message) => {
		expect(() => eventsFromEnvironment({ ...environment, ...over })).toThrow(message);
	});
});
