import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Rooms } from "./rooms.ts";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const rooms = (): Rooms => new Rooms({ emptyTimeoutMs: 300_000, departureTimeoutMs: 20_000, now: () => 0 });

it("closes a room that nobody joins, after its own time or the server's", () => {
	const all = rooms();
	all.getOrCreate({ name: "default" });
	all.getOrCreate({ name: "own", emptyTimeoutMs: 1_000 });
	vi.advanceTimersByTime(1_000);
	expect(all.all().map(({ name }) => name)).toEqual(["default"]);
	vi.advanceTimersByTime(299_000);
	expect(all.all()).toEqual([]);
});

// setTimeout counts in 31 bits: 30 days would otherwise be over at once.
it("keeps a room with a long empty_timeout", () => {
	const all = rooms();
	all.getOrCreate({ name: "lasting", emptyTimeoutMs: 30 * 86_400_000 });
	vi.advanceTimersByTime(20 * 86_400_000);
	expect(all.get("lasting")).toBeDefined();
	vi.advanceTimersByTime(10 * 86_400_000);
	expect(all.get("lasting")).toBeUndefined();
});
