import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RoomParticipantKind } from "../call/ports.ts";
import { Audible, PLACES } from "./audible.ts";

const owner = (n: number, kind: RoomParticipantKind = "standard") => ({ sid: `PA_${n}`, identity: `p${n}`, kind });
const tr = (n: number) => `TR_${n}`;

/** A room of so many with a track each, all of them silent. */
function roomOf(count: number, muted: (n: number) => boolean = () => false): Audible {
	const audible = new Audible();
	for (let n = 0; n < count; n++) audible.added(tr(n), owner(n), muted(n), 0);
	return audible;
}
const first = Array.from({ length: PLACES }, (_, n) => tr(n));

describe("in a small room", () => {
	it("everybody is heard, muted or not, and nobody is given up", () => {
		const audible = roomOf(PLACES, (n) => n % 2 === 0);
		expect(audible.trackSids()).toEqual(first);
		expect(audible.muted(tr(0), false, 10)).toEqual({ subscribe: [], unsubscribe: [] });
		expect(audible.spoke("PA_3", true, 20)).toEqual({ subscribe: [], unsubscribe: [] });
	});
});

describe("in a large room", () => {
	it("who speaks takes the place of who is muted, then of who has been silent the longest", () => {
		const audible = roomOf(100);
		expect(audible.trackSids()).toEqual(first);
		audible.muted(tr(7), true, 4_000);
		expect(audible.spoke("PA_50", true, 5_000)).toEqual({ subscribe: [tr(50)], unsubscribe: [tr(7)] });
		audible.spoke("PA_0", true, 5_100);
		audible.spoke("PA_0", false, 5_200);
		expect(audible.spoke("PA_51", true, 6_000)).toEqual({ subscribe: [tr(51)], unsubscribe: [tr(1)] });
		expect(audible.trackSids()).toContain(tr(0));
	});

	it("who speaks keeps the place, and who ended less than 3 s ago", () => {
		const audible = roomOf(40);
		for (let n = 0; n < PLACES; n++) audible.spoke(`PA_${n}`, true, 1_000);
		expect(audible.spoke("PA_30", true, 60_000)).toEqual({ subscribe: [], unsubscribe: [] });
		audible.spoke("PA_4", false, 60_000);
		expect(audible.spoke("PA_30", true, 62_999)).toEqual({ subscribe: [], unsubscribe: [] });
		expect(audible.spoke("PA_30", true, 63_000)).toEqual({ subscribe: [tr(30)], unsubscribe: [tr(4)] });
	});

	it("silent ones wait until they speak; agents and telephones do not, and stay", () => {
		const audible = roomOf(PLACES);
		expect(audible.added("TR_late", owner(99), false, 9_000)).toEqual({ subscribe: [], unsubscribe: [] });
		expect(audible.added("TR_agent", owner(98, "agent"), false, 9_000)).toEqual({ subscribe: ["TR_agent"], unsubscribe: [tr(0)] });
		for (let n = 1; n < PLACES; n++) audible.spoke(`PA_${n}`, false, 9_500);
		expect(audible.spoke("PA_99", true, 10_000)).toEqual({ subscribe: [], unsubscribe: [] });
		expect(audible.spoke("PA_99", true, 12_500)).toEqual({ subscribe: ["TR_late"], unsubscribe: [tr(1)] });
		expect(audible.trackSids()).toContain("TR_agent");
	});

	it("a place that is free goes to who spoke last among those who are not muted", () => {
		const audible = roomOf(PLACES + 3, (n) => n === PLACES);
		for (let n = 0; n < PLACES; n++) audible.spoke(`PA_${n}`, false, 1);
		audible.spoke(`PA_${PLACES + 2}`, true, 10);
		audible.spoke(`PA_${PLACES + 2}`, false, 20);
		expect(audible.removed(tr(2))).toEqual({ subscribe: [tr(PLACES + 2)], unsubscribe: [] });
		expect(audible.removed(tr(3))).toEqual({ subscribe: [tr(PLACES + 1)], unsubscribe: [] });
		expect(audible.removed("TR_none")).toEqual({ subscribe: [], unsubscribe: [] });
	});
});

it("never more places than there are, none empty while somebody waits, and what is told is what is", () => {
	const step = fc.record({
		what: fc.constantFrom("added", "removed", "muted", "unmuted", "speaks", "ends"),
		n: fc.integer({ min: 0, max: 39 }),
		kind: fc.constantFrom<RoomParticipantKind>("standard", "agent", "sip"),
		after: fc.integer({ min: 0, max: 4_000 }),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const audible = new Audible();
			const told = new Set<string>();
			const present = new Set<string>();
			let now = 0;
			for (const { what, n, kind, after } of steps) {
				now += after;
				if (what === "added") present.add(tr(n));
				if (what === "removed") {
					present.delete(tr(n));
					told.delete(tr(n));
				}
				const { subscribe, unsubscribe } =
					what === "added"
						? audible.added(tr(n), owner(n, kind), false, now)
						: what === "removed"
							? audible.removed(tr(n))
							: what === "muted" || what === "unmuted"
								? audible.muted(tr(n), what === "muted", now)
								: audible.spoke(`PA_${n}`, what === "speaks", now);
				for (const sid of unsubscribe) expect(told.delete(sid)).toBe(true);
				for (const sid of subscribe) {
					expect(told.has(sid)).toBe(false);
					told.add(sid);
				}
				expect(new Set(audible.trackSids())).toEqual(told);
				expect(told.size).toBe(Math.min(PLACES, present.size));
			}
		}),
	);
});
