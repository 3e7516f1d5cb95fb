import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RoomParticipantKind } from "../call/ports.ts";
import { Audible, MOST_SUBSCRIBED, PLACES } from "./audible.ts";

const owner = (n: number, kind: RoomParticipantKind = "standard") => ({ sid: `PA_${n}`, identity: `p${n}`, kind });
const tr = (n: number) => `TR_${n}`;

/** A room of so many with a track each, all of them silent. */
function roomOf(count: number, muted: (n: number) => boolean = () => false): Audible {
	const audible = new Audible();
	for (let n = 0; n < count; n++) audible.added(tr(n), owner(n), muted(n), 0);
	return audible;
}
const nothing = { subscribe: [], unsubscribe: [] };
const everybody = Array.from({ length: 100 }, (_, n) => tr(n));
const first = everybody.slice(0, PLACES);
const heard = (audible: Audible) => everybody.filter((sid) => audible.hears(sid));

describe("in a small room", () => {
	it("everybody is heard, muted or not, and nobody is given up", () => {
		const audible = roomOf(PLACES, (n) => n % 2 === 0);
		expect(audible.trackSids()).toEqual(first);
		expect(heard(audible)).toEqual(first);
		expect(audible.muted(tr(0), false, 10)).toEqual(nothing);
		expect(audible.spoke("PA_3", true, 20)).toEqual(nothing);
	});
});

describe("in a large room", () => {
	it("who speaks takes the place of who is muted, then of who has been silent the longest", () => {
		const audible = roomOf(40);
		expect(heard(audible)).toEqual(first);
		audible.muted(tr(7), true, 4_000);
		expect(audible.spoke("PA_30", true, 5_000)).toEqual({ subscribe: [], unsubscribe: [tr(7)] });
		audible.spoke("PA_0", true, 5_100);
		audible.spoke("PA_0", false, 5_200);
		audible.spoke("PA_31", true, 6_000);
		expect(heard(audible)).toEqual([...first.filter((sid) => sid !== tr(7) && sid !== tr(1)), tr(30), tr(31)]);
	});

	it("who speaks keeps the place, and who ended less than 3 s ago", () => {
		const audible = roomOf(40);
		for (let n = 0; n < PLACES; n++) audible.spoke(`PA_${n}`, true, 1_000);
		audible.spoke("PA_30", true, 60_000);
		audible.spoke("PA_4", false, 60_000);
		audible.spoke("PA_30", true, 62_999);
		expect(heard(audible)).toEqual(first);
		audible.spoke("PA_30", true, 63_000);
		expect(audible.hears(tr(30))).toBe(true);
		expect(audible.hears(tr(4))).toBe(false);
	});

	it("silent ones wait until they speak; agents and telephones do not, and stay", () => {
		const audible = roomOf(PLACES);
		audible.added("TR_late", owner(99), false, 9_000);
		audible.added("TR_agent", owner(98, "agent"), false, 9_000);
		expect([audible.hears("TR_late"), audible.hears("TR_agent"), audible.hears(tr(0))]).toEqual([false, true, false]);
		for (let n = 1; n < PLACES; n++) audible.spoke(`PA_${n}`, false, 9_500);
		audible.spoke("PA_99", true, 10_000);
		expect(audible.hears("TR_late")).toBe(false);
		audible.spoke("PA_99", true, 12_500);
		expect([audible.hears("TR_late"), audible.hears("TR_agent"), audible.hears(tr(1))]).toEqual([true, true, false]);
	});

	it("a place that is free goes to who spoke last among those who are not muted", () => {
		const audible = roomOf(PLACES + 3, (n) => n === PLACES);
		for (let n = 0; n < PLACES; n++) audible.spoke(`PA_${n}`, false, 1);
		audible.spoke(`PA_${PLACES + 2}`, true, 10);
		audible.spoke(`PA_${PLACES + 2}`, false, 20);
		audible.removed(tr(2));
		expect(audible.hears(tr(PLACES + 2))).toBe(true);
		audible.removed(tr(3));
		expect(audible.hears(tr(PLACES + 1))).toBe(true);
		expect(audible.removed("TR_none")).toEqual(nothing);
	});

	it("who is not muted is subscribed to before being heard, as the server tells nobody else's speaking; the muted are not", () => {
		const audible = roomOf(100, (n) => n >= 20);
		expect(audible.trackSids()).toEqual(everybody.slice(0, 20));
		expect(audible.muted(tr(60), false, 1_000)).toEqual({ subscribe: [tr(60)], unsubscribe: [] });
		expect(audible.hears(tr(60))).toBe(false);
		expect(audible.muted(tr(60), true, 2_000)).toEqual({ subscribe: [], unsubscribe: [tr(60)] });
	});

	it("of more open microphones than that, those that were opened or spoken into last", () => {
		const audible = roomOf(100);
		expect(audible.trackSids()).toHaveLength(MOST_SUBSCRIBED);
		audible.muted(tr(99), true, 500);
		const { subscribe, unsubscribe } = audible.muted(tr(99), false, 1_000);
		expect([subscribe, unsubscribe.length]).toEqual([[tr(99)], 1]);
		// a server that tells all speakers
		expect(audible.spoke("PA_98", true, 5_000).subscribe).toEqual([tr(98)]);
		expect(audible.hears(tr(98))).toBe(true);
		expect(audible.trackSids()).toHaveLength(MOST_SUBSCRIBED);
	});
});

it("never more places than there are, none empty while somebody waits, and what is told is what is", () => {
	const step = fc.record({
		what: fc.constantFrom("added", "removed", "muted", "unmuted", "speaks", "ends"),
		n: fc.integer({ min: 0, max: 99 }),
		kind: fc.constantFrom<RoomParticipantKind>("standard", "agent", "sip"),
		after: fc.integer({ min: 0, max: 4_000 }),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
			const audible = new Audible();
			const told = new Set<string>();
			const open = new Map<string, boolean>();
			let now = 0;
			for (const { what, n, kind, after } of steps) {
				now += after;
				if (what === "added" && !open.has(tr(n))) open.set(tr(n), true);
				if ((what === "muted" || what === "unmuted") && open.has(tr(n))) open.set(tr(n), what === "unmuted");
				if (what === "removed") {
					open.delete(tr(n));
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
				const ears = heard(audible);
				expect(ears).toHaveLength(Math.min(PLACES, open.size));
				const wanted = [...open].filter(([sid, isOpen]) => isOpen || ears.includes(sid));
				expect(told.size).toBe(Math.min(MOST_SUBSCRIBED, wanted.length));
			}
		}),
	);
});
