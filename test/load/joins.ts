import { setTimeout as delay } from "node:timers/promises";
import { CallFailedError, type OutgoingCall, Phone } from "@trunkline/phone";
import { cpuMs, machineCpuMs, threadsCpuMs } from "./processes.ts";
import { type Gaps, RunningCalls } from "./running-calls.ts";
import type { System } from "./systems.ts";

/** Two calls each: 50 set-ups a second. */
const PAIR_EVERY_MS = 40;
const ANSWER_WITHIN_MS = 15_000;
/** Answered calls stay so long: what is measured are set-ups, not calls. */
const STAY_MS = 300;
/** after which what the last set-ups cost is in the figures */
const AFTER_MS = 500;
/** Callers of one room come so far apart. */
const CROWD_EVERY_MS = 70;
/** as the engine names its threads */
const MEDIA_THREADS = "media-";

export interface JoinsResult {
	setUps: number;
	/** the first ones of the process, or after others */
	when: "the first" | "again";
	/** calls that ran on meanwhile */
	running: number;
	/** not answered within 15 s, by what came instead */
	failed: Record<string, number>;
	/** INVITE → 200, ms */
	answered: number[];
	/** of the system under test: CPU during the set-ups, without what idling and the running calls cost, ms; undefined where there is no /proc */
	cpuMsPerSetUp: number | undefined;
	/** the part of the media threads: rooms and audio; undefined also where rooms are joined in the main thread */
	mediaMsPerSetUp: number | undefined;
	/** the same of the room server, where it is a process of its own and ours */
	roomsMsPerSetUp: number | undefined;
	/** what the telephones of the running calls heard */
	gaps: Gaps | undefined;
	/** frames of the system that came 20 ms late or more */
	lateFrames: number;
	/** of everything on the machine that is not this benchmark, % of a core; undefined where there is no /proc */
	othersPercent: number | undefined;
}

/** Sets `count` calls up at 50 a second, two in each room, while `running` others speak. */
export async function measureJoins(
	system: System,
	numbers: readonly string[],
	count: number,
	running: number,
	when: JoinsResult["when"],
): Promise<JoinsResult> {
	const phone = await Phone.open({ record: false });
	const speaking =
		running === 0 ? undefined : await RunningCalls.start({ sipPort: system.sipPort, numbers: numbers.slice(0, running / 2) });
	try {
		const before = await costOf(system, 1_000, () => delay(1_000));
		await speaking?.gaps();
		const answered: number[] = [];
		const failed: Record<string, number> = {};
		const late = await lateFrames(system);
		const during = await costOf(system, undefined, async () => {
			const calls: Promise<void>[] = [];
			for (let index = 0; index < count; index++) {
				const number = numbers[(running >> 1) + (index >> 1)] ?? "";
				const call = await dial(system, phone, number, index);
				calls.push(settle(call, answered, failed));
				if (index % 2 === 1) await delay(PAIR_EVERY_MS);
			}
			await Promise.all(calls);
			await delay(AFTER_MS);
		});
		const gaps = await speaking?.gaps();
		return {
			...{ setUps: count, when, running, failed, answered, gaps, lateFrames: (await lateFrames(system)) - late },
			cpuMsPerSetUp: perSetUp(before.system, during.system, during.ms, count),
			mediaMsPerSetUp: perSetUp(before.media, during.media, during.ms, count),
			roomsMsPerSetUp: perSetUp(before.rooms, during.rooms, during.ms, count),
			othersPercent: during.others === undefined ? undefined : Math.max(0, (during.others / during.ms) * 100),
		};
	} finally {
		await Promise.all([phone.close(), speaking?.stop()]);
	}
}

/** `count` callers of one room, one every 70 ms, who stay. */
export async function measureCrowd(system: System, number: string, count: number): Promise<JoinsResult> {
	const phone = await Phone.open({ record: false });
	try {
		const answered: number[] = [];
		const failed: Record<string, number> = {};
		const calls: OutgoingCall[] = [];
		const late = await lateFrames(system);
		const before = await costOf(system, 1_000, () => delay(1_000));
		const during = await costOf(system, undefined, async () => {
			for (let index = 0; index < count; index++) {
				calls.push(await dial(system, phone, number, index));
				await delay(CROWD_EVERY_MS);
			}
			await Promise.all(calls.map((call) => timed(call, answered).catch((error: unknown) => countFailure(failed, error))));
		});
		return {
			...{ setUps: count, when: "again", running: 0, failed, answered, gaps: undefined, lateFrames: (await lateFrames(system)) - late },
			cpuMsPerSetUp: perSetUp(before.system, during.system, during.ms, count),
			mediaMsPerSetUp: perSetUp(before.media, during.media, during.ms, count),
			roomsMsPerSetUp: perSetUp(before.rooms, during.rooms, during.ms, count),
			othersPercent: during.others === undefined ? undefined : Math.max(0, (during.others / during.ms) * 100),
		};
	} finally {
		await phone.close();
	}
}

function dial(system: System, phone: Phone, number: string, index: number): Promise<OutgoingCall> {
	const from = `+1444${String(1_000_000 + index)}`;
	return phone.call(`sip:${number}@127.0.0.1:${system.sipPort}`, { from, codecs: ["PCMU"], timeoutMs: ANSWER_WITHIN_MS });
}

async function timed(call: OutgoingCall, answered: number[]): Promise<void> {
	await call.answered();
	answered.push((call.timing.answeredAt ?? Number.NaN) - call.timing.startedAt);
}

async function settle(call: OutgoingCall, answered: number[], failed: Record<string, number>): Promise<void> {
	try {
		await timed(call, answered);
	} catch (error) {
		return countFailure(failed, error);
	}
	await delay(STAY_MS);
	call.hangup();
}

function countFailure(failed: Record<string, number>, error: unknown): void {
	const why = error instanceof CallFailedError ? error.message : String(error);
	failed[why] = (failed[why] ?? 0) + 1;
}

async function lateFrames(system: System): Promise<number> {
	const { threads } = await system.probe("now");
	return threads.reduce((sum, thread) => sum + thread.lateFrames, 0);
}

interface Cost {
	ms: number;
	/** CPU ms */
	system: number | undefined;
	media: number | undefined;
	rooms: number | undefined;
	/** programs that are not ours */
	others: number | undefined;
}

/** What processes spend while `work` goes on, or in each `per` ms of it. */
async function costOf(system: System, per: number | undefined, work: () => Promise<unknown>): Promise<Cost> {
	const rooms = system.rooms.program;
	const { pid } = system.program;
	const read = () => ({
		...{ at: performance.now(), system: cpuMs(pid), media: threadsCpuMs(pid, MEDIA_THREADS), rooms: rooms && cpuMs(rooms.pid) },
		...{ own: cpuMs(process.pid), machine: machineCpuMs() },
	});
	const from = read();
	await work();
	const until = read();
	const ms = until.at - from.at;
	const spent = (a: number | undefined, b: number | undefined): number | undefined =>
		a === undefined || b === undefined ? undefined : ((b - a) * (per ?? ms)) / ms;
	const [spentBySystem, spentByRooms] = [spent(from.system, until.system), spent(from.rooms, until.rooms)];
	const machine = spent(from.machine, until.machine);
	return {
		...{ ms, system: spentBySystem, media: spent(from.media, until.media), rooms: spentByRooms },
		others: machine === undefined ? undefined : machine - (spentBySystem ?? 0) - (spentByRooms ?? 0) - (spent(from.own, until.own) ?? 0),
	};
}

/** `before` of each second. */
function perSetUp(before: number | undefined, during: number | undefined, ms: number, count: number): number | undefined {
	return before === undefined || during === undefined ? undefined : (during - (before * ms) / 1_000) / count;
}
