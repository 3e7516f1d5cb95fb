import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { correlate, correlated, correlation } from "./correlation.ts";
import { boundLog, createLogger } from "./logger.ts";

function capture() {
	const lines: Record<string, unknown>[] = [];
	const log = createLogger({
		name: "test",
		level: "info",
		destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
	});
	return { log, lines };
}

it("lines of two requests at once have their own ids, and what became known on the way", async () => {
	const { log, lines } = capture();
	const request = (requestId: string, callId: string) =>
		correlated({ requestId }, async () => {
			await turn();
			correlate({ callId });
			await turn();
			log.info({ n: callId.length }, "queued");
		});
	await Promise.all([request("R1", "SCL_1"), request("R2", "SCL_22")]);
	log.info("outside");
	expect(lines.map(({ requestId, callId, msg }) => [requestId, callId, msg])).toEqual([
		["R1", "SCL_1", "queued"],
		["R2", "SCL_22", "queued"],
		[undefined, undefined, "outside"],
	]);
	correlate({ callId: "nobody's" });
	expect(correlation()).toEqual({});
});

it("a bound log adds what is known when the line is written; the line's own word counts", () => {
	const { log, lines } = capture();
	const known: Record<string, unknown> = { callId: "SCL_1" };
	const bound = boundLog(log, ["info", "warn"], () => known);
	bound.info({}, "first");
	known["trunkId"] = "ST_1";
	bound.warn({ callId: "SCL_2" }, "second");
	expect(lines.map(({ level, callId, trunkId }) => [level, callId, trunkId])).toEqual([
		["info", "SCL_1", undefined],
		["warn", "SCL_2", "ST_1"],
	]);
});
