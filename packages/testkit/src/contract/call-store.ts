import type { CallQuality, CallRecord } from "@trunkline/contracts";
import type { CallSearch, CallStore, OwnedCalls } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callRecord, dialRequest } from "../records.ts";

export interface CallStoreUnderTest {
	store: CallStore & OwnedCalls;
	close?: () => Promise<void>;
}

const directionQuality = (levelDbov: readonly (number | null)[]): CallQuality => ({
	...{ packets: 250, lost: 0, late: 0, duplicates: 0, concealed: 0 },
	scores: { everyMs: 5_000, mos: levelDbov.map(() => 4.4), lossPercent: levelDbov.map(() => 0), levelDbov },
});

/** What every CallStore does. `now` is the clock that decides what has expired; one store serves all tests. */
export function callStoreContract(name: string, factory: (now: () => number) => Promise<CallStoreUnderTest>): void {
	// Times lie ahead of the machine's clock, so that a store that removes expired items by itself removes none of these.
	const start = Math.floor(Date.now() / 1000) * 1000 + 3_600_000;
	let now = start;
	let tested: CallStoreUnderTest;
	let store: CallStore & OwnedCalls;
	let tests = 0;
	let projectId = "";
	let callId = "";

	const create = async (changes: Partial<CallRecord> = {}): Promise<CallRecord> => {
		const call = callRecord({ callId, projectId, createdAt: now, ...changes });
		expect(await store.createCall(call)).toBe(true);
		return call;
	};
	const winners = async (attempts: Promise<CallRecord | undefined>[]): Promise<CallRecord[]> =>
		(await Promise.all(attempts)).filter((call) => call !== undefined);

	describe(`CallStore: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory(() => now);
			store = tested.store;
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			now = start;
			projectId = `project-${++tests}`;
			callId = `SCL_${tests}`;
		});

		it("gives a call back whole", async () => {
			const call = await create({
				request: dialRequest({
					authUsername: "user",
					authPassword: "s3cret",
					displayName: "",
					headers: { "X-A": "" },
					media: { onlyListedCodecs: false, codecs: [] },
				}),
				decision: [{ kind: "trunk", id: "ST_1", outcome: "selected" }],
			});
			expect(await store.getCall(callId)).toStrictEqual(call);
			expect(await store.getCall("SCL_none")).toBeUndefined();
		});

		it("creates a call once", async () => {
			await create({ to: "+15550101" });
			expect(await store.createCall(callRecord({ callId, projectId, createdAt: now, to: "+15550102" }))).toBe(false);
			expect((await store.getCall(callId))?.to).toBe("+15550101");
		});

		it("lets one of 20 concurrent creates of an id pass", async () => {
			const results = await Promise.all(
				Array.from({ length: 20 }, (_, i) => store.createCall(callRecord({ callId, projectId, createdAt: now, to: `+${i}` }))),
			);
			expect(results.filter(Boolean)).toHaveLength(1);
			expect((await store.getCall(callId))?.to).toBe(`+${results.indexOf(true)}`);
		});

		describe("claim", () => {
			it("takes a queued call, with owner, lease, version and timeline", async () => {
				const call = await create();
				const claimed = await store.claimCall(callId, "ND_1", now + 5, now + 30_000);
				expect(claimed).toStrictEqual({
					...call,
					state: "claimed",
					version: 2,
					owner: "ND_1",
					leaseUntil: now + 30_000,
					timeline: [...call.timeline, { at: now + 5, event: "claimed", detail: "ND_1" }],
				});
				expect(await store.getCall(callId)).toStrictEqual(claimed);
			});

			it("has one winner of 20", async () => {
				await create();
				const won = await winners(Array.from({ length: 20 }, (_, i) => store.claimCall(callId, `ND_${i}`, now, now + 30_000)));
				expect(won).toHaveLength(1);
				expect((await store.getCall(callId))?.owner).toBe(won[0]?.owner);
				expect((await store.getCall(callId))?.version).toBe(2);
			});

			it("is refused while the lease runs, also to the owner, and for no call", async () => {
				await create();
				await store.claimCall(callId, "ND_1", now, now + 30_000);
				expect(await store.claimCall(callId, "ND_2", now + 29_999, now + 60_000)).toBeUndefined();
				expect(await store.claimCall(callId, "ND_1", now + 30_001, now + 60_000)).toBeUndefined();
				expect(await store.claimCall("SCL_none", "ND_1", now, now)).toBeUndefined();
			});

			it.each(["claimed", "joining"] as const)("takes over from %s when the lease is over, by one node only", async (state) => {
				await create();
				await store.claimCall(callId, "ND_1", now, now + 30_000);
				await store.transitionCall(callId, { from: ["claimed"], to: state, owner: "ND_1", at: now, event: state });
				const won = await winners(Array.from({ length: 5 }, (_, i) => store.claimCall(callId, `ND_new${i}`, now + 30_000, now + 60_000)));
				expect(won).toHaveLength(1);
				expect(won[0]).toMatchObject({ state: "claimed", version: 4, leaseUntil: now + 60_000 });
				// the one that lost it notices at its next step
				const late = await store.transitionCall(callId, {
					from: ["claimed", "joining"],
					to: "dialing",
					owner: "ND_1",
					at: now,
					event: "dialing",
				});
				expect(late).toBeUndefined();
			});

			it.each(["dialing", "ringing", "active", "ended", "cancelled", "received"] as const)(
				"never takes a call that is %s",
				async (state) => {
					await create({ state, owner: "ND_1", leaseUntil: now - 1 });
					expect(await store.claimCall(callId, "ND_2", now, now + 30_000)).toBeUndefined();
					expect((await store.getCall(callId))?.version).toBe(1);
				},
			);
		});

		describe("transition", () => {
			it("writes state, patch, version and one timeline entry", async () => {
				await create();
				await store.claimCall(callId, "ND_1", now, now + 30_000);
				const patch = { participantId: "PA_1", sipCallId: "abc", roomName: "other", answeredAt: now + 7 };
				const moved = await store.transitionCall(callId, {
					from: ["queued", "claimed"],
					to: "joining",
					owner: "ND_1",
					at: now + 7,
					event: "joined",
					detail: "PA_1",
					patch,
				});
				expect(moved).toMatchObject({ state: "joining", version: 3, owner: "ND_1", ...patch });
				expect(moved?.timeline.at(-1)).toStrictEqual({ at: now + 7, event: "joined", detail: "PA_1" });
				expect(moved?.timeline).toHaveLength(3);
				expect(await store.getCall(callId)).toStrictEqual(moved);
			});

			it("is refused from another state, for another owner and for no call", async () => {
				await create();
				await store.claimCall(callId, "ND_1", now, now + 30_000);
				const step = { to: "dialing", at: now, event: "dialing" } as const;
				expect(await store.transitionCall(callId, { ...step, from: ["joining", "queued"] })).toBeUndefined();
				expect(await store.transitionCall(callId, { ...step, from: ["claimed"], owner: "ND_2" })).toBeUndefined();
				expect(await store.transitionCall(callId, { ...step, from: [] })).toBeUndefined();
				expect(await store.transitionCall("SCL_none", { ...step, from: ["claimed"] })).toBeUndefined();
				expect((await store.getCall(callId))?.version).toBe(2);
				expect(await store.transitionCall(callId, { ...step, from: ["claimed"], owner: "ND_1" })).toBeDefined();
			});

			it("to one state happens once of 20", async () => {
				await create();
				await store.claimCall(callId, "ND_1", now, now + 30_000);
				const step = { from: ["claimed"], to: "dialing", owner: "ND_1", at: now, event: "dialing" } as const;
				expect(await winners(Array.from({ length: 20 }, () => store.transitionCall(callId, step)))).toHaveLength(1);
				expect((await store.getCall(callId))?.timeline.filter((entry) => entry.event === "dialing")).toHaveLength(1);
			});

			it("keeps every event of a whole call", async () => {
				await create({ direction: "inbound", state: "received", owner: "ND_1" });
				const steps = [
					["received", "ringing"],
					["ringing", "ringing"],
					["ringing", "active"],
				] as const;
				for (const [from, to] of steps) await store.transitionCall(callId, { from: [from], to, owner: "ND_1", at: ++now, event: to });
				await store.endCall(callId, ++now, { by: "peer", reason: "hangup" });
				const call = await store.getCall(callId);
				expect(call?.timeline.map((entry) => entry.event)).toEqual(["queued", "ringing", "ringing", "active", "ended"]);
				expect(call?.version).toBe(5);
			});

			it("cancel or claim: one of them wins", async () => {
				for (let round = 0; round < 10; round++) {
					const id = `${callId}_${round}`;
					await create({ callId: id });
					const cancel = { from: ["queued"], to: "cancelled", at: now, event: "cancelled" } as const;
					const attempts = [store.claimCall(id, "ND_1", now, now + 1000), store.transitionCall(id, cancel)];
					const won = await winners(round % 2 ? attempts : attempts.reverse());
					expect(won).toHaveLength(1);
					expect((await store.getCall(id))?.state).toBe(won[0]?.state);
				}
			});
		});

		describe("quality of a call that goes on", () => {
			const media = {
				...{ codec: "PCMU", packets: { received: 250, sent: 251, lost: 0, refused: 0, srtpErrors: 0 } },
				quality: { uplink: directionQuality([-20, null]), downlink: directionQuality([]) },
			};

			it("is on the record, which says nothing else than before", async () => {
				const call = await create({ state: "received", owner: "ND_1" });
				expect(await store.noteQuality(callId, "ND_1", media)).toBe(true);
				expect(await store.getCall(callId)).toStrictEqual({ ...call, media });
				expect(await store.noteQuality(callId, "ND_1", { codec: "PCMA" })).toBe(true);
				expect(await store.getCall(callId)).toStrictEqual({ ...call, media: { codec: "PCMA" } });
			});

			it("is not written for another owner, none, and no call", async () => {
				const call = await create({ state: "received", owner: "ND_1" });
				expect(await store.noteQuality(callId, "ND_2", media)).toBe(false);
				expect(await store.noteQuality("SCL_none", "ND_1", media)).toBe(false);
				expect(await store.getCall("SCL_none")).toBeUndefined();
				expect(await store.getCall(callId)).toStrictEqual(call);
				await store.createCall(callRecord({ callId: `${callId}b`, projectId, createdAt: now }));
				expect(await store.noteQuality(`${callId}b`, "ND_1", media)).toBe(false);
			});

			it("does not come after the end", async () => {
				await create({ state: "active", owner: "ND_1" });
				const ended = await store.endCall(callId, now + 9, { by: "peer", reason: "hangup" }, { media: { codec: "PCMU" } });
				expect(await store.noteQuality(callId, "ND_1", media)).toBe(false);
				expect(await store.getCall(callId)).toStrictEqual(ended);
			});
		});

		describe("end", () => {
			it("writes who, why and when, and drops the password", async () => {
				await create({ request: dialRequest({ authUsername: "user", authPassword: "s3cret" }) });
				const end = { by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" } as const;
				const media = { codec: "PCMU", srtp: "AEAD_AES_128_GCM" };
				const ended = await store.endCall(callId, now + 9, end, { media });
				expect(ended).toMatchObject({ state: "ended", version: 2, endedAt: now + 9, end, media });
				expect(ended?.timeline.at(-1)).toStrictEqual({ at: now + 9, event: "ended", detail: "busy" });
				expect(ended?.request).toMatchObject({ authUsername: "user", authPassword: "" });
				expect(await store.getCall(callId)).toStrictEqual(ended);
			});

			it("happens once", async () => {
				await create();
				const won = await winners(
					Array.from({ length: 20 }, (_, i) => store.endCall(callId, now + i, { by: "room", reason: "hangup", message: `${i}` })),
				);
				expect(won).toHaveLength(1);
				expect((await store.getCall(callId))?.end?.message).toBe(won[0]?.end?.message);
				expect(await store.endCall(callId, now, { by: "peer", reason: "hangup" })).toBeUndefined();
			});

			it("is not for a cancelled call, nor for none", async () => {
				await create();
				await store.transitionCall(callId, { from: ["queued"], to: "cancelled", at: now, event: "cancelled" });
				expect(await store.endCall(callId, now, { by: "api", reason: "cancelled" })).toBeUndefined();
				expect(await store.endCall("SCL_none", now, { by: "api", reason: "cancelled" })).toBeUndefined();
			});
		});

		describe("lists", () => {
			const ids = (calls: CallRecord[]): string[] => calls.map((call) => call.callId);

			it("live calls in a room, newest first", async () => {
				await create({ callId: `${callId}a`, createdAt: start + 1 });
				await create({ callId: `${callId}b`, createdAt: start + 3 });
				await create({ callId: `${callId}c`, createdAt: start + 2 });
				await create({ callId: `${callId}d`, roomName: "elsewhere" });
				await create({ callId: `${callId}e`, projectId: `${projectId}-other` });
				expect(ids(await store.liveCallsInRoom(projectId, "lobby"))).toEqual([`${callId}b`, `${callId}c`, `${callId}a`]);
				await store.endCall(`${callId}c`, now, { by: "peer", reason: "hangup" });
				await store.transitionCall(`${callId}a`, { from: ["queued"], to: "cancelled", at: now, event: "cancelled" });
				const left = await store.liveCallsInRoom(projectId, "lobby");
				expect(ids(left)).toEqual([`${callId}b`]);
				expect(left[0]).toStrictEqual(await store.getCall(`${callId}b`));
			});

			it("a call follows its room", async () => {
				await create({ state: "received", direction: "inbound", roomName: "" });
				expect(await store.liveCallsInRoom(projectId, "")).toEqual([]);
				await store.transitionCall(callId, { from: ["received"], to: "ringing", at: now, event: "ringing", patch: { roomName: "den" } });
				expect(ids(await store.liveCallsInRoom(projectId, "den"))).toEqual([callId]);
			});

			it("a call that has left its room goes on, and is not live in it", async () => {
				await create({ state: "active", roomName: "lobby" });
				const step = { from: ["active"], to: "active", at: now, event: "transferred", patch: { leftRoomAt: now } } as const;
				expect(await store.transitionCall(callId, step)).toMatchObject({ state: "active", roomName: "lobby", leftRoomAt: now });
				expect(await store.liveCallsInRoom(projectId, "lobby")).toEqual([]);
				expect(ids((await store.findCalls(projectId, { roomName: "lobby", limit: 10 })).calls)).toEqual([callId]);
				await store.endCall(callId, now, { by: "api", reason: "transferred" });
				expect(await store.getCall(callId)).toMatchObject({ state: "ended", leftRoomAt: now });
			});

			const list = async (search: Partial<CallSearch> = {}): Promise<string[]> =>
				ids((await store.findCalls(projectId, { limit: 100, ...search })).calls).map((id) => id.slice(callId.length));
			/** all pages, as suffixes of ids */
			const pages = async (search: Partial<CallSearch>, between?: () => Promise<unknown>): Promise<string[]> => {
				const found: string[] = [];
				let after: CallSearch["after"];
				for (let page = 0; page < 100; page++) {
					const { calls, next } = await store.findCalls(projectId, { limit: 2, ...search, ...(after === undefined ? {} : { after }) });
					expect(calls.length).toBeLessThanOrEqual(search.limit ?? 2);
					found.push(...ids(calls).map((id) => id.slice(callId.length)));
					if (next === undefined) return found;
					after = next;
					await between?.();
				}
				throw new Error("the pages have no end");
			};

			it("all calls of a project, newest first, in pages", async () => {
				for (const [suffix, age] of [
					["a", 1],
					["b", 3],
					["c", 2],
					["d", 2],
				] as const)
					await create({ callId: callId + suffix, createdAt: start + age });
				await create({ callId: `${callId}x`, projectId: `${projectId}-other` });
				await store.endCall(`${callId}b`, now, { by: "peer", reason: "hangup" });
				expect(await list()).toEqual(["b", "d", "c", "a"]);
				expect(await list({ limit: 3 })).toEqual(["b", "d", "c"]);
				expect(await pages({ limit: 1 })).toEqual(["b", "d", "c", "a"]);
				expect(await list({ after: { createdAt: start + 2, callId: `${callId}d` } })).toEqual(["c", "a"]);
				// the place need not be a call's
				expect(await list({ after: { createdAt: start + 2, callId: `${callId}cc` } })).toEqual(["c", "a"]);
				expect(await list({ after: { createdAt: start, callId: `${callId}a` } })).toEqual([]);
				expect((await store.findCalls(projectId, { limit: 100 })).calls[0]).toStrictEqual(await store.getCall(`${callId}b`));
			});

			it("by time, room, trunk, direction and state, and by all of them", async () => {
				await create({ callId: `${callId}a`, createdAt: start + 1, roomName: "den", trunkId: "ST_a" });
				await create({
					callId: `${callId}b`,
					createdAt: start + 2,
					roomName: "den",
					trunkId: "ST_b",
					direction: "inbound",
					state: "received",
				});
				await create({
					callId: `${callId}c`,
					createdAt: start + 3,
					roomName: "hall",
					trunkId: "ST_a",
					direction: "inbound",
					state: "received",
				});
				await create({ callId: `${callId}d`, createdAt: start + 4, roomName: "", trunkId: "", direction: "inbound", state: "ended" });
				await create({ callId: `${callId}x`, createdAt: start + 2, roomName: "den", trunkId: "ST_a", projectId: `${projectId}-other` });
				await store.endCall(`${callId}a`, now, { by: "peer", reason: "hangup" });
				expect(await list({ since: start + 2 })).toEqual(["d", "c", "b"]);
				expect(await list({ until: start + 3 })).toEqual(["b", "a"]);
				expect(await list({ since: start + 2, until: start + 3 })).toEqual(["b"]);
				expect(await list({ since: start + 3, until: start + 3 })).toEqual([]);
				expect(await list({ since: start + 3, until: start + 1 })).toEqual([]);
				expect(await list({ roomName: "den" })).toEqual(["b", "a"]);
				expect(await list({ roomName: "de" })).toEqual([]);
				expect(await list({ roomName: "" })).toEqual([]);
				expect(await list({ trunkId: "ST_a" })).toEqual(["c", "a"]);
				expect(await list({ trunkId: "" })).toEqual([]);
				expect(await list({ direction: "inbound" })).toEqual(["d", "c", "b"]);
				expect(await list({ states: ["ended"] })).toEqual(["d", "a"]);
				expect(await list({ states: ["received", "queued"] })).toEqual(["c", "b"]);
				expect(await list({ states: ["queued"] })).toEqual([]);
				expect(await list({ roomName: "den", trunkId: "ST_a", states: ["ended"], direction: "outbound", since: start })).toEqual(["a"]);
				expect(await list({ roomName: "den", trunkId: "ST_a", states: ["ended"], direction: "inbound" })).toEqual([]);
				expect(await pages({ direction: "inbound", limit: 1 })).toEqual(["d", "c", "b"]);
				expect(await pages({ trunkId: "ST_a", limit: 1 })).toEqual(["c", "a"]);
			});

			it("a call that finds its room or trunk later is on their lists", async () => {
				await create({ callId: `${callId}a`, state: "received", direction: "inbound", roomName: "", trunkId: "" });
				const patch = { roomName: "den", trunkId: "ST_a" };
				await store.transitionCall(`${callId}a`, { from: ["received"], to: "ringing", at: now, event: "ringing", patch });
				expect(await list({ roomName: "den" })).toEqual(["a"]);
				expect(await list({ trunkId: "ST_a" })).toEqual(["a"]);
				await store.endCall(`${callId}a`, now, { by: "peer", reason: "hangup" });
				expect(await list({ roomName: "den" })).toEqual(["a"]);
			});

			it("pages neither skip nor repeat while calls come and end", async () => {
				const all = Array.from({ length: 9 }, (_, i) => String.fromCharCode(97 + i));
				for (const [i, suffix] of all.entries()) await create({ callId: callId + suffix, createdAt: start + Math.floor(i / 3) });
				const expected = [..."ihgfedcba"];
				let added = 0;
				const between = async (): Promise<void> => {
					await create({ callId: `${callId}new${++added}`, createdAt: start + 100 });
					await store.endCall(`${callId}${all[added] ?? "a"}`, now, { by: "peer", reason: "hangup" });
				};
				expect(await pages({}, between)).toEqual(expected);
				expect(added).toBeGreaterThan(2);
			});
		});

		it("finds a node's live calls, and those that no node has taken", async () => {
			const owned = async (nodeId?: string): Promise<string[]> =>
				(await store.liveCallsOf(nodeId, 100))
					.map((call) => call.callId)
					.filter((id) => id.startsWith(callId))
					.sort();
			const node = `ND_${callId}`;
			await create({ callId: `${callId}a`, createdAt: start });
			await create({ callId: `${callId}b`, createdAt: start + 1 });
			await create({ callId: `${callId}c`, createdAt: start + 2, state: "received", direction: "inbound", owner: node });
			expect(await owned()).toEqual([`${callId}a`, `${callId}b`]);
			expect(await owned(node)).toEqual([`${callId}c`]);
			await store.claimCall(`${callId}a`, node, now, now + 1_000);
			expect(await owned()).toEqual([`${callId}b`]);
			expect(await owned(node)).toEqual([`${callId}a`, `${callId}c`]);
			expect(await store.liveCallsOf(node, 1)).toHaveLength(1);
			await store.claimCall(`${callId}a`, `${node}2`, now + 1_000, now + 2_000);
			expect([await owned(node), await owned(`${node}2`)]).toEqual([[`${callId}c`], [`${callId}a`]]);
			await store.transitionCall(`${callId}a`, { from: ["claimed"], to: "queued", at: now, event: "given-back" });
			expect([await owned(), await owned(`${node}2`)]).toEqual([[`${callId}a`, `${callId}b`], []]);
			await store.transitionCall(`${callId}b`, { from: ["queued"], to: "cancelled", at: now, event: "cancelled" });
			await store.endCall(`${callId}c`, now, { by: "node", reason: "internal-error" });
			expect([await owned(), await owned(node)]).toEqual([[`${callId}a`], []]);
		});

		it("takes an expired call for absent", async () => {
			const call = await create({ expiresAtSeconds: start / 1000 + 60 });
			now = start + 59_999;
			expect(await store.getCall(callId)).toBeDefined();
			now = start + 60_000;
			expect(await store.getCall(callId)).toBeUndefined();
			expect(await store.claimCall(callId, "ND_1", now, now + 1000)).toBeUndefined();
			expect(await store.transitionCall(callId, { from: ["queued"], to: "cancelled", at: now, event: "cancelled" })).toBeUndefined();
			expect(await store.endCall(callId, now, { by: "api", reason: "cancelled" })).toBeUndefined();
			expect(await store.liveCallsInRoom(projectId, "lobby")).toEqual([]);
			expect(await store.findCalls(projectId, { limit: 10 })).toEqual({ calls: [] });
			expect(await store.createCall({ ...call, expiresAtSeconds: start / 1000 + 600 })).toBe(true);
			expect((await store.getCall(callId))?.version).toBe(1);
		});
	});
}
