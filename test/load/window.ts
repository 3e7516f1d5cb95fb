import { setTimeout as delay } from "node:timers/promises";
import { cpuMs, machineCpuMs, residentMb } from "./processes.ts";
import type { AllocationNode, ProbeAnswer } from "./probe-protocol.ts";
import type { System } from "./systems.ts";

/** What processes did during a stretch of time. Undefined = this machine does not tell (no /proc). */
export interface Window {
	/** `performance.now()` */
	from: number;
	until: number;
	/** of the system under test, % of a core */
	cpuPercent: number | undefined;
	/** of the room server, % of a core; undefined also for a server that is not ours, and one in the system's process */
	roomsPercent: number | undefined;
	/** of everything on the machine that is not this benchmark, % of a core: a LIVEKIT_URL server on this machine too */
	othersPercent: number | undefined;
	memoryMb: number | undefined;
	/** frames of the system that came 20 ms late or more */
	lateFrames: number;
	/** what was allocated, where that was asked for */
	allocations?: AllocationNode[];
}

/** Watches the processes for so long; `profiled`: what they allocate, too, which costs them time. */
export async function watch(system: System, ms: number, profiled = false): Promise<Window> {
	const rooms = system.rooms.program;
	const read = () => ({
		at: performance.now(),
		system: cpuMs(system.program.pid),
		rooms: rooms === undefined ? undefined : cpuMs(rooms.pid),
		own: cpuMs(process.pid),
		machine: machineCpuMs(),
	});
	const probedBefore = await system.probe(profiled ? "profile" : "now");
	const before = read();
	await delay(ms);
	const after = read();
	const probedAfter = await system.probe(profiled ? "profiled" : "now");
	const percent = (from: number | undefined, until: number | undefined): number | undefined =>
		from === undefined || until === undefined ? undefined : ((until - from) / (after.at - before.at)) * 100;
	const cpuPercent = percent(before.system, after.system);
	const roomsPercent = percent(before.rooms, after.rooms);
	const machine = percent(before.machine, after.machine);
	const ours = (cpuPercent ?? 0) + (roomsPercent ?? 0) + (percent(before.own, after.own) ?? 0);
	return {
		from: before.at,
		until: after.at,
		cpuPercent,
		roomsPercent,
		othersPercent: machine === undefined ? undefined : Math.max(0, machine - ours),
		memoryMb: residentMb(system.program.pid),
		lateFrames: lateFrames(probedAfter) - lateFrames(probedBefore),
		...(profiled && { allocations: probedAfter.threads.flatMap(({ allocations }) => allocations ?? []) }),
	};
}

const lateFrames = ({ threads }: ProbeAnswer): number => threads.reduce((sum, thread) => sum + thread.lateFrames, 0);
