import { describe, expect, it } from "vitest";
import { Recovery, type RecoveryStep } from "./recovery.ts";

const half = () => 0.5;

/** Every attempt fails that way; gives when what was done. */
function play(recovery: Recovery, from: number, until: number, outcome: (step: RecoveryStep, now: number) => "unreachable" | "refused") {
	const done: [at: number, what: string][] = [];
	for (let now = from; now <= until; now++) {
		const step = recovery.due(now);
		if (step === undefined) continue;
		done.push([now - from, step.do]);
		if (step.do !== "give-up") recovery.failed(outcome(step, now), undefined, "no", now);
	}
	return done;
}

describe("a room that is lost", () => {
	it("is resumed at once, then again and again with longer pauses, until the limit", () => {
		const recovery = new Recovery(10_000, half);
		expect(recovery.lost("resume", "connection-lost", "gone", 1000)).toBe(true);
		expect(play(recovery, 1000, 20_000, () => "unreachable")).toEqual([
			[0, "resume"],
			[250, "resume"],
			[750, "resume"],
			[1750, "resume"],
			[3750, "resume"],
			[5750, "resume"],
			[7750, "resume"],
			[9750, "resume"],
			[10_000, "give-up"],
		]);
		expect(recovery.isUnderWay).toBe(false);
		expect(recovery.nextAt).toBeUndefined();
	});

	it("is joined anew, at once, when the server does not know the participant", () => {
		const recovery = new Recovery(2000, half);
		recovery.lost("resume", "connection-lost", "gone", 0);
		expect(play(recovery, 0, 3000, () => "refused").slice(0, 3)).toEqual([
			[0, "resume"],
			[1, "rejoin"],
			[501, "rejoin"],
		]);
	});

	it("is not sought where no attempt would do, or none is wanted", () => {
		const recovery = new Recovery(60_000, half);
		recovery.lost("resume", "connection-lost", "gone", 0);
		expect(recovery.due(0)).toEqual({ do: "resume", attempt: 1 });
		expect(recovery.failed("hopeless", "room-deleted", "no such room", 5)).toEqual({
			...{ do: "give-up", reason: "room-deleted", message: "no such room" },
		});
		const never = new Recovery(0, half);
		never.lost("resume", "server-shutdown", "gone", 0);
		expect(never.due(0)).toMatchObject({ do: "give-up", reason: "server-shutdown" });
	});

	it("a second loss while one is repaired is the same; a demand to rejoin stands for a resume", () => {
		const recovery = new Recovery(60_000, half);
		recovery.lost("resume", "connection-lost", "gone", 0);
		expect(recovery.lost("rejoin", "server-shutdown", "leave", 1)).toBe(false);
		expect(recovery.due(1)).toEqual({ do: "rejoin", attempt: 1 });
		expect(recovery.restored(700)).toBe(700);
		expect(recovery.isUnderWay).toBe(false);
	});

	it("a server that takes us in and throws us out again and again uses up one limit", () => {
		const recovery = new Recovery(5000, half);
		let now = 0;
		let attempts = 0;
		recovery.lost("rejoin", "connection-lost", "gone", now);
		for (; now < 60_000; now++) {
			const step = recovery.due(now);
			if (step?.do === "give-up") break;
			if (step === undefined) continue;
			attempts += 1;
			recovery.restored(now);
			recovery.lost("rejoin", "connection-lost", "again", now + 1);
		}
		expect(now).toBe(5000);
		expect(attempts).toBe(5);
	});

	it("a loss after ten quiet seconds is a new one", () => {
		const recovery = new Recovery(5000, half);
		recovery.lost("resume", "connection-lost", "gone", 0);
		recovery.due(0);
		recovery.restored(4000);
		recovery.lost("resume", "connection-lost", "gone", 14_001);
		expect(recovery.due(14_001)).toEqual({ do: "resume", attempt: 1 });
		expect(recovery.remaining(14_001)).toBe(5000);
	});
});
