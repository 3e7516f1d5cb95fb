import { captureLogs } from "@trunkline/testkit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type MediaEvent, type NegotiatedAudio, type RoomEvent, RoomJoinError } from "../call/ports.ts";
import { MediaEngine, type MediaEngineOptions } from "./engine.ts";
import { FakeThread } from "./threads.testkit.ts";

const threads: FakeThread[] = [];
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	vi.useRealTimers();
	vi.restoreAllMocks();
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
	threads.length = 0;
});

async function engine(workers = 2, changes: Partial<MediaEngineOptions> = {}) {
	const log = captureLogs();
	const made = await MediaEngine.start({
		workers,
		media: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [20_000, 20_019] },
		log,
		start: (name) => {
			const thread = new FakeThread(name);
			threads.push(thread);
			return thread.start;
		},
		...changes,
	});
	closing.push(() => made.close());
	return { engine: made, log };
}

const thread = (index: number): FakeThread => {
	const found = threads[index];
	if (found === undefined) throw new Error(`no thread ${index}`);
	return found;
};

const until = (condition: () => boolean): Promise<unknown> => vi.waitUntil(condition, { timeout: 5_000, interval: 2 });

/** A call: media and room in the same place, with what they told. */
async function call(of: MediaEngine, place: string) {
	const media: MediaEvent[] = [];
	const room: RoomEvent[] = [];
	const all: string[] = [];
	const [session, joined] = await Promise.all([
		of.open(
			(event) => {
				media.push(event);
				all.push(event.type);
			},
			4,
			place,
		),
		of.join({
			url: "ws://rooms",
			token: "t",
			publishCodecs: ["PCMU"],
			trackName: "caller",
			place,
			onEvent: (event) => {
				room.push(event);
				all.push(event.type);
			},
		}),
	]);
	return { session, room: joined, events: { media, room, all } };
}

const NEGOTIATED: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	remote: { address: "192.0.2.1", port: 4_000 },
	sends: true,
	receives: true,
};

describe("media in workers", () => {
	it("a call's session and room are plugged into each other where they are", async () => {
		const { engine: one } = await engine(1);
		const { session, room, events } = await call(one, "call");
		const { sessions, rooms } = thread(0);
		expect([session.localAddress, session.localPort]).toEqual(["192.0.2.10", 20_000]);
		expect([room.participantSid, room.roomSid, room.uplink.codec]).toEqual(["PA_1", "RM_1", "PCMU"]);
		rooms.one.emit({ type: "track-subscribed", track: { trackSid: "TR_1", participantIdentity: "agent", onFrame: () => {} } });
		await until(() => events.room.length === 1);
		const [event] = events.room;
		if (event?.type !== "track-subscribed") throw new Error("no track");
		session.start(NEGOTIATED, "192.0.2.2");
		session.connect(room.uplink);
		session.addTrack(event.track);
		const stop = session.holdPhone("tune");
		stop();
		stop();
		await session.sendDigits("12");
		expect(sessions[0]?.did).toEqual([
			"start PCMU 192.0.2.1:4000 192.0.2.2",
			"connect",
			"add TR_1",
			"hold with tune",
			"hold is over",
			"digits 12",
		]);
		expect(sessions[0]?.uplinks).toEqual([rooms.one.uplink]);
		expect(await session.stats()).toMatchObject({ packetsReceived: 0 });
	});

	it("keys go alone, not with the buffer that they are in", async () => {
		const { engine: one } = await engine(1);
		const session = await one.open(() => {}, 4, "call");
		const pool = new Uint8Array(8_192).fill(7);
		session.start(
			{ ...NEGOTIATED, srtp: { suite: "AES_CM_128_HMAC_SHA1_80", send: pool.subarray(0, 30), receive: pool.subarray(30, 60) } },
			"",
		);
		await until(() => thread(0).sessions[0]?.negotiated !== undefined);
		const srtp = thread(0).sessions[0]?.negotiated?.srtp;
		expect([srtp?.send.length, srtp?.send.buffer.byteLength, srtp?.receive.buffer.byteLength]).toEqual([30, 30, 30]);
	});

	it("what the call knows of its room is as the room last told", async () => {
		const { engine: one } = await engine(1);
		thread(0).rooms.others = [{ sid: "PA_2", identity: "agent", kind: "agent" }];
		const { room, events } = await call(one, "call");
		expect(room.participants().map(({ sid }) => sid)).toEqual(["PA_2"]);
		const fake = thread(0).rooms.one;
		fake.emit({ type: "participant-joined", participant: { sid: "PA_3", identity: "b", kind: "standard" } });
		fake.emit({ type: "participant-left", participant: { sid: "PA_2", identity: "agent", kind: "agent" } });
		thread(0).rooms.joins[0]?.options.onAttributes?.({ own: "yes" });
		fake.emit({ type: "dtmf", digits: "5", participantIdentity: "b" });
		await until(() => events.room.length === 3);
		expect(events.room.map(({ type }) => type)).toEqual(["participant-joined", "participant-left", "dtmf"]);
		expect(room.participants().map(({ sid }) => sid)).toEqual(["PA_3"]);
		expect(room.attributes()).toEqual({ own: "yes" });
		await room.setAttributes({ a: "1" });
		expect(fake.attributeChanges).toEqual([{ a: "1" }]);
		room.sendDtmf(1, "1");
		await room.close();
		expect([fake.digits.length, fake.closed]).toEqual([1, 1]);
		await expect(room.setAttributes({})).rejects.toThrow("closed");
	});

	it("a join that fails, and one that is aborted, do so as in the same thread", async () => {
		const { engine: one } = await engine(1);
		const options = { url: "", token: "", publishCodecs: ["PCMU"] as const, trackName: "", onEvent: () => {} };
		const refused = Promise.reject(new RoomJoinError("refused", "full", { closeReason: "removed" }));
		refused.catch(() => undefined);
		thread(0).rooms.ready = refused;
		await expect(one.join(options)).rejects.toMatchObject({
			name: "RoomJoinError",
			code: "refused",
			message: "full",
			closeReason: "removed",
		});
		const blocked = Promise.withResolvers<void>();
		thread(0).rooms.ready = blocked.promise;
		const abort = new AbortController();
		const joining = one.join(options, abort.signal);
		await until(() => thread(0).rooms.joins.length === 2);
		abort.abort();
		await until(() => thread(0).rooms.joins[1]?.signal?.aborted === true);
		blocked.reject(new RoomJoinError("aborted", "aborted"));
		await expect(joining).rejects.toMatchObject({ code: "aborted" });
	});

	it("calls are spread over the workers, and all of one call is in the same", async () => {
		const { engine: two } = await engine(2);
		for (const place of ["a", "b", "c", "d"]) await call(two, place);
		expect(threads.map(({ sessions, rooms }) => [sessions.length, rooms.sessions.length])).toEqual([
			[2, 2],
			[2, 2],
		]);
		await call(two, "a");
		expect(threads.map(({ sessions }) => sessions.length).sort()).toEqual([2, 3]);
	});

	it("two telephones that are joined in place hear each other, in the worker", async () => {
		const { engine: two } = await engine(2);
		const { first, second } = two.backToBack();
		const heard: RoomEvent[] = [];
		const options = { url: "", token: "", publishCodecs: ["PCMU"] as const, trackName: "", place: "a" };
		const a = await first.join({ ...options, onEvent: (event) => heard.push(event) });
		const b = await second.join({ ...options, onEvent: () => {} });
		const [one, other] = [await two.open(() => {}, 4, "a"), await two.open(() => {}, 4, "a")];
		await until(() => heard.length === 1);
		const [event] = heard;
		if (event?.type !== "track-subscribed") throw new Error("no track");
		one.addTrack(event.track);
		other.connect(b.uplink);
		const at = threads.find(({ sessions }) => sessions.length === 2);
		await until(() => at?.sessions[1]?.uplinks.length === 1);
		const frame = { codec: "PCMU" as const, payload: Uint8Array.of(1, 2), timestamp: 160, sequence: 1, marker: false };
		at?.sessions[1]?.uplinks[0]?.write(frame, 127);
		expect(at?.sessions[0]?.heard).toEqual([frame]);
		await b.close();
		await until(() => heard.some(({ type }) => type === "closed"));
		await a.close();
		await expect(first.join({ ...options, onEvent: () => {} })).rejects.toMatchObject({ closeReason: "other-leg" });
	});

	it("a port that another program has is passed over; one that was closed rests", async () => {
		const media = { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [20_000, 20_007] as const };
		const { engine: one } = await engine(1, { media });
		for (const port of [20_000, 20_004]) thread(0).taken.add(port);
		const [a, b] = [await one.open(() => {}, 4, "a"), await one.open(() => {}, 4, "b")];
		expect([thread(0).ports, one.portsInUse]).toEqual([expect.arrayContaining([20_002, 20_006]), 2]);
		await expect(one.open(() => {}, 4, "c")).rejects.toMatchObject({ name: "MediaUnavailableError" });
		a.close();
		await until(() => one.portsInUse === 1);
		b.close();
		await until(() => one.portsInUse === 0);
		thread(0).taken.clear();
		// Those that were taken rest by now, too: the one that has rested longest is next.
		const [first] = thread(0).ports;
		thread(0).ports.length = 0;
		for (const place of ["d", "e", "f", "g"]) await one.open(() => {}, 4, place);
		expect(thread(0).ports.indexOf(first ?? 0)).toBe(2);
	});

	it("a fault of one call's session ends that call alone, and is in the log", async () => {
		const { engine: one, log } = await engine(1);
		const [bad, good] = [await call(one, "bad"), await call(one, "good")];
		const [broken] = thread(0).sessions;
		if (broken !== undefined)
			broken.speak = () => {
				throw new Error("boom");
			};
		bad.session.speak();
		good.session.speak();
		await until(() => thread(0).sessions[1]?.did.includes("speak") === true && bad.events.media.length > 0);
		expect(bad.events.media).toEqual([{ type: "media-lost", message: "speak: boom" }]);
		expect(good.events.media).toEqual([]);
		expect(log.logs.some(({ message }) => message === "a media session failed in speak")).toBe(true);
	});
});

describe("a worker that goes", () => {
	it("takes its own calls along, each with a reason, and another one takes its place", async () => {
		const { engine: two, log } = await engine(2);
		const [a, b] = [await call(two, "a"), await call(two, "b")];
		const digits = a.session.sendDigits("1");
		thread(0).die("exit code 1");
		await digits;
		expect(a.events.all).toEqual(["media-lost", "closed"]);
		expect(a.events.media).toEqual([{ type: "media-lost", message: "media-0.0 has stopped: exit code 1" }]);
		expect(a.events.room).toEqual([{ type: "closed", reason: "connection-lost", message: "media-0.0 has stopped: exit code 1" }]);
		expect(b.events.all).toEqual([]);
		expect(two.portsInUse).toBe(1);
		expect(two.stats()).toMatchObject({ workers: 1, workersLost: 1, lateFrames: 0 });
		expect(log.logs.some(({ message }) => message === "a media worker has stopped, and its calls with it")).toBe(true);
		// What is still said to it is passed over.
		a.session.close();
		await a.room.close();
		await until(() => two.stats().workers === 2);
		await call(two, "c");
		expect(thread(2).sessions.length).toBe(1);
		expect(b.events.all).toEqual([]);
	});

	it("leaves no recording open, of a call that is over neither: what is written is there to be kept", async () => {
		const { engine: one } = await engine(1);
		const [live, over] = [await call(one, "live"), await call(one, "over")];
		live.session.record("first.wav", false);
		live.session.record("live.wav", false);
		over.session.record("over.wav", false);
		over.session.close();
		await until(() => one.portsInUse === 1);
		thread(0).sessions[0]?.emit({ type: "recorded", file: "first.wav", durationMs: 1_000, bytes: 32_044 });
		await until(() => live.events.media.length === 1);
		thread(0).die("exit code 1");
		const problem = "media-0.0 has stopped: exit code 1";
		expect(live.events.media.slice(1)).toEqual([
			{ type: "recorded", file: "live.wav", durationMs: expect.any(Number), bytes: 0, problem },
			{ type: "media-lost", message: problem },
		]);
		expect(over.events.media).toEqual([{ type: "recorded", file: "over.wav", durationMs: expect.any(Number), bytes: 0, problem }]);
	});

	it("whose rooms have the same numbers as another's is not taken for it: nobody is plugged into a stranger's call", async () => {
		const { engine: two } = await engine(2);
		const [a, b] = [await call(two, "a"), await call(two, "b")];
		expect(() => a.session.connect(b.room.uplink)).toThrow("another media worker");
		a.session.connect(a.room.uplink);
		await until(() => threads.some(({ sessions }) => sessions[0]?.uplinks.length === 1));
		expect(threads.map(({ sessions }) => sessions[0]?.uplinks.length)).toEqual([1, 0]);
	});

	it("rejects what waits for it", async () => {
		const { engine: one } = await engine(1);
		thread(0).rooms.ready = new Promise(() => {});
		const joining = one.join({ url: "", token: "", publishCodecs: ["PCMU"], trackName: "", onEvent: () => {} });
		const session = await one.open(() => {}, 4, "a");
		await until(() => thread(0).rooms.joins.length === 1);
		const joined = joining.catch((error: unknown) => error);
		thread(0).die("out of memory");
		expect(await joined).toMatchObject({ name: "RoomJoinError", code: "media" });
		await expect(session.stats()).rejects.toThrow("has stopped");
		await expect(one.open(() => {}, 4, "b")).rejects.toMatchObject({ name: "MediaUnavailableError" });
		expect(one.overloaded).toBe(true);
	});

	it("is replaced later and later when its replacements do not last", async () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
		await engine(1);
		const waits: number[] = [];
		for (let i = 0; i < 5; i++) {
			thread(threads.length - 1).die("again");
			const before = threads.length;
			let waited = 0;
			while (threads.length === before) {
				await vi.advanceTimersByTimeAsync(100);
				waited += 100;
			}
			waits.push(waited);
		}
		expect(waits).toEqual([100, 500, 2_000, 10_000, 30_000]);
	});

	it("that nobody hears of any more is ended; one that speaks is not", async () => {
		vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
		const { engine: two } = await engine(2, { silentMs: 3_000 });
		const [a, b] = [await call(two, "a"), await call(two, "b")];
		for (let second = 0; second < 4; second++) {
			thread(1).say({ from: "beat", lateMs: 0, lateFrames: 0 });
			await new Promise((resolve) => setTimeout(resolve, 5));
			await vi.advanceTimersByTimeAsync(1_000);
		}
		expect([thread(0).terminated, thread(1).terminated]).toEqual([true, false]);
		expect(a.events.all).toEqual(["media-lost", "closed"]);
		expect(b.events.all).toEqual([]);
	});

	it("is not taken for silent when it was the main thread that stood still", async () => {
		vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
		await engine(1, { silentMs: 3_000 });
		const now = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
		await vi.advanceTimersByTimeAsync(1_000);
		expect(now).toHaveBeenCalled();
		expect(thread(0).terminated).toBe(false);
	});
});

describe("a worker that is not well", () => {
	it("is late: gets no calls while others are not; when all are, the engine is overloaded", async () => {
		const { engine: two } = await engine(2);
		const say = (index: number, lateMs: number): void => {
			thread(index).say({ from: "beat", lateMs, lateFrames: 0 });
			thread(index).say({ from: "beat", lateMs, lateFrames: 0 });
		};
		thread(0).say({ from: "beat", lateMs: 100, lateFrames: 0 });
		say(1, 25);
		for (const place of ["a", "b"]) await call(two, place);
		expect([thread(0).sessions.length, thread(1).sessions.length], "one late second is no overload").toEqual([2, 0]);
		expect(two.overloaded).toBe(false);
		say(0, 21);
		await until(() => two.overloaded);
		say(1, 20);
		await until(() => !two.overloaded);
		await call(two, "c");
		expect(thread(1).sessions.length).toBe(1);
	});

	it("has a fault that nobody caught: its calls go on, new ones go elsewhere, and it ends with the last", async () => {
		const { engine: one, log } = await engine(1);
		const a = await call(one, "a");
		thread(0).say({ from: "beat", lateMs: 0, lateFrames: 3 });
		thread(0).say({ from: "fault", error: new Error("boom") });
		await until(() => threads.length === 2 && one.stats().workers === 1);
		await call(one, "b");
		expect(thread(1).sessions.length).toBe(1);
		expect([a.events.all, thread(0).sessions[0]?.did]).toEqual([[], []]);
		expect(one.stats()).toMatchObject({ workers: 1, workersLost: 0, lateFrames: 3 });
		await a.room.close();
		a.session.close();
		await until(() => thread(0).sessions[0]?.did.includes("close") === true && one.portsInUse === 1);
		expect(log.logs.filter(({ level }) => level === "error").length).toBe(1);
		expect(one.stats().lateFrames, "those of a worker that has ended are not forgotten").toBe(3);
	});
});
