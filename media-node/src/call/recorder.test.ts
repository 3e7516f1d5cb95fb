import { captureLogs, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { FakeLeg, FakeMedia, FakeRooms, sdpOf, turns } from "./fakes.testkit.ts";
import { InboundCall, type InboundOutcome } from "./inbound-call.ts";
import type { Recordings } from "./ports.ts";
import type { CallDeps } from "./runner.ts";

const CALL_ID = "SCL_111111111111";

/** A store of recordings in the hand of the test. */
class FakeRecordings implements Recordings {
	readonly kept: string[] = [];
	/** `keep` waits for it, and rejects as it does */
	ready: Promise<unknown> = Promise.resolve();
	begins: Promise<unknown> = Promise.resolve();

	async begin(key: string): Promise<string> {
		await this.begins;
		return `files/${key}`;
	}
	async keep(key: string, file: string): Promise<void> {
		await this.ready;
		this.kept.push(`${key} from ${file}`);
	}
}

async function active(recording: { enabled: boolean; notice?: boolean; directory?: string } | undefined, recordings?: FakeRecordings) {
	const clock = new SimClock(1_700_000_000_000);
	const calls = new MemoryCallStore({ now: () => clock.now() });
	const media = new FakeMedia();
	const rooms = new FakeRooms();
	const outcomes: string[] = [];
	let over = 0;
	const deps: CallDeps = {
		...{ clock, media, rooms, calls },
		projectId: "p_1",
		roomUrl: async () => "ws://rooms",
		token: async () => "token",
		nodeId: "ND_1",
		region: "local",
		mediaTimeoutMs: { first: 30_000, later: 15_000 },
		random: (length) => new Uint8Array(length).fill(7),
		log: captureLogs(),
		recordings,
		onTransfer: (ids, { status, message = "" }) => void outcomes.push([...ids, status, message].join(" ").trim()),
		onOver: () => void (over += 1),
	};
	const settings = recording === undefined ? {} : { settings: { recording } };
	const outcome: InboundOutcome = {
		decision: { kind: "accept", ringingTimeoutMs: 60_000, maxCallDurationMs: 3_600_000 },
		steps: [],
		trunkId: "ST_1",
		plan: {
			trunkId: "ST_1",
			ruleId: "SDR_1",
			room: { roomName: "lobby", identity: "sip_1", name: "", metadata: "", attributes: {} },
			from: "+15551111",
			to: "+15550100",
			acceptHeaders: [],
			attributesToHeaders: {},
			terms: { encryption: "DISABLE" },
			...settings,
		},
	};
	const invite = {
		localTag: "a",
		sipCallId: "b",
		remoteTag: "c",
		requestUri: "sip:+15550100@192.0.2.10",
		from: { user: "+15551111", host: "carrier.example", displayName: "" },
		to: { user: "+15550100", host: "192.0.2.10" },
		source: { address: "198.51.100.7", port: 5060 },
		headers: [],
		sdp: sdpOf(),
	};
	const call = new InboundCall(CALL_ID, deps, invite, new FakeLeg(), async () => outcome);
	call.dispatch({ type: "start" });
	await turns();
	rooms.one.subscribe("TR_1");
	await turns();
	// bridged, but the caller has not acknowledged yet
	expect(media.one.did.filter((one) => one.startsWith("record"))).toEqual([]);
	call.onLeg({ type: "acked" });
	media.one.emit({ type: "media-started" });
	await turns();
	const did = () => media.one.did.filter((one) => one.startsWith("record"));
	const recorded = (file: string, problem?: string) =>
		media.one.emit({ type: "recorded", file, durationMs: 5_000, bytes: 160_044, ...(problem === undefined ? {} : { problem }) });
	const record = async () => (await calls.getCall(CALL_ID)) ?? expect.fail("no record");
	const order = (transferId: string, what: "start" | "stop", notice?: boolean) =>
		call.dispatch({ type: "recording", command: { transferId, recording: what, ...(notice === undefined ? {} : { notice }) } });
	return { call, media, clock, did, recorded, record, order, outcomes, over: () => over };
}

describe("a trunk that records", () => {
	it("from the call's first active moment to its end; the call is let go when the file is kept", async () => {
		const recordings = new FakeRecordings();
		const stored = Promise.withResolvers<void>();
		recordings.ready = stored.promise;
		const { call, did, recorded, record, over } = await active({ enabled: true, notice: true, directory: "support" }, recordings);
		const file = `files/p_1/support/${CALL_ID}.wav`;
		expect(did()).toEqual([`record ${file} with notice`]);
		expect((await record()).recording).toEqual({ key: `p_1/support/${CALL_ID}.wav`, startedAt: 1_700_000_000_000 });
		call.onLeg({ type: "bye", headers: [] });
		await turns();
		recorded(file);
		await turns();
		expect(over()).toBe(0);
		stored.resolve();
		await turns();
		expect(over()).toBe(1);
		const { recording, timeline, state } = await record();
		expect(state).toBe("ended");
		expect(recording).toMatchObject({ durationMs: 5_000, bytes: 160_044 });
		expect(timeline.map(({ event }) => event).slice(-3)).toEqual(["recording", "ended", "recorded"]);
	});

	it("a file that cannot be kept: the record says so", async () => {
		const recordings = new FakeRecordings();
		recordings.ready = Promise.reject(new Error("no bucket"));
		recordings.ready.catch(() => {});
		const { recorded, record } = await active({ enabled: true }, recordings);
		recorded(`files/p_1/${CALL_ID}.wav`);
		await turns();
		expect((await record()).recording).toMatchObject({ problem: "not in the store yet" });
	});

	it("without a store nothing is recorded, and the call goes on", async () => {
		const { did, call } = await active({ enabled: true });
		expect(did()).toEqual([]);
		expect(call.phase).toBe("active");
	});
});

describe("by command", () => {
	it("start, start again, stop, start: two files", async () => {
		const { did, order, recorded, outcomes, record } = await active(undefined, new FakeRecordings());
		expect(did()).toEqual([]);
		order("STR_1", "start");
		await turns();
		order("STR_2", "start", true);
		await turns();
		order("STR_3", "stop");
		recorded(`files/p_1/${CALL_ID}.wav`);
		await turns();
		order("STR_4", "start", true);
		await turns();
		expect(did()).toEqual([`record files/p_1/${CALL_ID}.wav`, "record no more", `record files/p_1/${CALL_ID}-2.wav with notice`]);
		expect(outcomes).toEqual(["STR_1 successful", "STR_2 successful", "STR_3 successful", "STR_4 successful"]);
		expect((await record()).timeline.map(({ event }) => event).slice(-3)).toEqual(["recording", "recorded", "recording"]);
	});

	it("fails where there is no store, and where the call ends before it begins", async () => {
		const none = await active(undefined);
		none.order("STR_1", "start");
		await turns();
		expect(none.outcomes).toEqual(["STR_1 failed this deployment keeps no recordings"]);
		const recordings = new FakeRecordings();
		const began = Promise.withResolvers<void>();
		recordings.begins = began.promise;
		const late = await active(undefined, recordings);
		late.order("STR_2", "start");
		late.call.onLeg({ type: "bye", headers: [] });
		began.resolve();
		await turns();
		expect(late.did()).toEqual([]);
		expect(late.outcomes[0]).toContain("STR_2 failed the call ended");
	});
});
