import { expect, test } from "vitest";
import { createLogger, type LogLevel } from "./logger.ts";

function capture(level: LogLevel) {
	const lines: Record<string, unknown>[] = [];
	const log = createLogger({
		name: "test",
		level,
		destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
	});
	return { log, lines };
}

test("one JSON line with name, level and fields", () => {
	const { log, lines } = capture("info");
	log.info({ callId: "SCL_1" }, "call queued");
	expect(lines).toEqual([expect.objectContaining({ level: "info", name: "test", callId: "SCL_1", msg: "call queued" })]);
	expect(lines[0]?.["time"]).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test("lines below the level are not written", () => {
	const { log, lines } = capture("warn");
	log.info("no");
	log.warn("yes");
	expect(lines.map((line) => line["msg"])).toEqual(["yes"]);
});

test("secrets are not written, at the top or one level down", () => {
	const { log, lines } = capture("info");
	log.info({ authPassword: "hunter2", trunk: { authPassword: "hunter2", pin: "hunter2" }, token: "hunter2" }, "trunk created");
	expect(JSON.stringify(lines)).not.toContain("hunter2");
	expect(lines[0]?.["trunk"]).toEqual({ authPassword: "[secret]", pin: "[secret]" });
});
