import { startEmbeddedDynamo } from "@trunkline/emulators";
import { createDynamoClient, createTables, DynamoNodeRegistry } from "@trunkline/store";
import { captureLogs, nodeRecord } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { setBy, TableClock } from "./table-clock.ts";

const TABLE = Date.parse("Tue, 14 Nov 2023 22:13:20 GMT");
const date = (at: number): string => new Date(at).toUTCString();

describe("the clock that nodes share", () => {
	it.each([-30_000, -3_000, 3_000, 30_000])("is the table's, to a second, when this machine's is off by %i ms", (off) => {
		const log = captureLogs();
		const clock = new TableClock({ now: () => TABLE + off, log });
		// Any answer of that second.
		for (const at of [0, 400, 999]) clock.answered(date(TABLE + at), TABLE + off - 40, TABLE + off);
		expect(Math.abs(clock.now() - TABLE)).toBeLessThanOrEqual(1_000);
		expect(log.logs).toHaveLength(1);
	});

	it("is this machine's as long as that is right, and again when it has been set right", () => {
		let now = TABLE;
		const clock = new TableClock({ now: () => now, log: captureLogs() });
		for (let i = 0; i < 100; i++) {
			now += 137;
			clock.answered(date(now), now - 20, now);
			expect(clock.now()).toBe(now);
		}
		for (let i = 0; i < 2; i++) clock.answered(date(now + 60_000), now, now);
		expect(clock.now() - now).toBeGreaterThan(58_000);
		now += 60_000;
		for (let i = 0; i < 2; i++) clock.answered(date(now), now, now);
		expect(clock.now()).toBe(now);
	});

	it("is not set by single answers that are off by hours", () => {
		const clock = new TableClock({ now: () => TABLE, log: captureLogs() });
		const HOUR_MS = 3_600_000;
		for (const off of [0, 3 * HOUR_MS, 0, -HOUR_MS, 2 * HOUR_MS, 0, 3 * HOUR_MS]) clock.answered(date(TABLE + off), TABLE, TABLE);
		expect(clock.now()).toBe(TABLE);
	});

	it("is not set by an answer that took long, by one without a date, or by nonsense", () => {
		const clock = new TableClock({ now: () => TABLE, log: captureLogs() });
		clock.answered(date(TABLE + 30_000), TABLE - 2_001, TABLE);
		clock.answered(undefined, TABLE, TABLE);
		clock.answered("yesterday", TABLE, TABLE);
		clock.answered(date(TABLE + 30_000), TABLE + 1, TABLE);
		expect(clock.now()).toBe(TABLE);
	});
});

it("a node whose machine's clock is wrong hears the time with each answer of its table", async () => {
	const dynamo = await startEmbeddedDynamo();
	const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	try {
		await createTables(client, { config: "config", calls: "calls" });
		const wrong = (): number => Date.now() + 30_000;
		const clock = new TableClock({ now: wrong, log: captureLogs() });
		setBy(clock, client, wrong);
		const registry = new DynamoNodeRegistry({ client, table: "calls" });
		await registry.beat(nodeRecord({ nodeId: "ND_1", region: "r", heartbeatAt: Date.now() }));
		expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_100);
		// By its own clock its peer would have been silent for thirty seconds.
		expect(await registry.deadNodes("r", wrong())).toHaveLength(1);
		expect(await registry.deadNodes("r", clock.now())).toEqual([]);
	} finally {
		client.destroy();
		await dynamo.close();
	}
}, 30_000);
