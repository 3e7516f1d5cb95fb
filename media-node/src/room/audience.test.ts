import { describe, expect, it } from "vitest";
import type { RoomParticipantKind } from "../call/ports.ts";
import { type AudibleTrack, Audience } from "./audience.ts";

const track = (n: number, muted = false, kind: RoomParticipantKind = "standard"): AudibleTrack => ({
	...{ trackSid: `TR_${n}`, muted },
	owner: { sid: `PA_${n}`, identity: `p${n}`, kind },
});
const tracks = (count: number, muted: (n: number) => boolean = () => false): AudibleTrack[] =>
	Array.from({ length: count }, (_, n) => track(n, muted(n)));

describe("what a telephone subscribes to", () => {
	it("of a small room: all, muted or not, once", () => {
		const audience = new Audience();
		expect(audience.choose(tracks(32, (n) => n > 3)).subscribe).toHaveLength(32);
		expect(audience.choose(tracks(32))).toEqual({ subscribe: [], unsubscribe: [] });
	});

	it("of a hundred who are muted: some; whoever unmutes is heard, and stays while there is room", () => {
		const audience = new Audience();
		const first = audience.choose(tracks(120, () => true)).subscribe;
		expect(first).toHaveLength(32);
		expect(first).not.toContain("TR_100");
		const spoken = audience.choose(tracks(120, (n) => n !== 100));
		expect(spoken.subscribe).toEqual(["TR_100"]);
		expect(spoken.unsubscribe).toHaveLength(1);
		expect(audience.trackSids).toHaveLength(32);
		expect(audience.choose(tracks(120, () => true))).toEqual({ subscribe: [], unsubscribe: [] });
	});

	it("of more open microphones than anybody can hear: agents, and who spoke or came last", () => {
		const audience = new Audience();
		const all = [...tracks(100), track(100, false, "agent"), track(101)];
		// the agent came first of all
		audience.choose([track(100, false, "agent")]);
		const { subscribe } = audience.choose(all);
		expect(audience.trackSids).toHaveLength(64);
		expect(audience.trackSids).toContain("TR_100");
		expect(subscribe).toContain("TR_101");
		expect(subscribe).not.toContain("TR_0");
		// TR_37 is the next to be left out, unless it is heard
		const [next] = audience.trackSids.filter((sid) => sid !== "TR_100").toSorted((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
		audience.spoke(new Set([(next ?? "").replace("TR", "PA")]), all);
		const more = audience.choose([...all, track(102)]);
		expect(more.subscribe).toEqual(["TR_102"]);
		expect(more.unsubscribe).toHaveLength(1);
		expect(more.unsubscribe).not.toContain(next);
	});

	it("what is gone is not asked for, and on another connection all is asked for anew", () => {
		const audience = new Audience();
		audience.choose(tracks(3));
		expect(audience.choose(tracks(2))).toEqual({ subscribe: [], unsubscribe: [] });
		expect(audience.trackSids).toEqual(["TR_0", "TR_1"]);
		audience.clear();
		expect(audience.choose(tracks(2)).subscribe).toEqual(["TR_0", "TR_1"]);
	});
});
