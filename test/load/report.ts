import { cpus } from "node:os";
import type { JoinsResult } from "./joins.ts";
import type { OpusResult } from "./opus.ts";
import { allocatedBy } from "./allocations.ts";
import type { OpusCallsResult } from "./opus-calls.ts";
import type { OutboundResult } from "./outbound.ts";
import type { PairsResult } from "./pairs.ts";
import type { Held } from "./soak/growth.ts";
import { spread } from "./statistics.ts";

export interface Shape {
	/** which processes, in words */
	name: string;
	/** a program that is not ours: nobody in it tells of its frames and its heap */
	foreign?: boolean;
	/** of a core, without calls; undefined = not available */
	idlePercent: number | undefined;
	/** without calls, after those that warm up */
	held: Held;
	pairs: PairsResult[];
	joins: JoinsResult[];
	outbound: OutboundResult | undefined;
	opusCalls: OpusCallsResult[];
	opus: OpusResult | undefined;
}

const NOT_AVAILABLE = "n/a";
const FRAME_MS = 20;
/** rows of the allocation profile */
const ALLOCATORS = 25;

/** The whole result as Markdown. */
export function report(shapes: readonly Shape[], date: Date): string {
	return [
		`${machine()}, ${date.toISOString().slice(0, 10)}. Pairs of PCMU callers in one room, audio both ways in every call, everything on 127.0.0.1.`,
		"",
		...table(
			[
				"system",
				"calls",
				"% of a core per call",
				"room server, % per call",
				"mouth to ear, p50 / p95 / max ms",
				"packets lost",
				"late frames",
				"INVITE → 200, p50 / p95 ms",
				"memory, MB",
				"of it per call: resident / heap / external, MB",
				"other programs, % of a core",
			],
			shapes.flatMap((shape) => shape.pairs.map((result) => pairsRow(shape, result))),
		),
		...shapes.flatMap(sentences),
		...ratios(shapes),
		...shapes.flatMap(allocations),
		...(shapes.some(({ idlePercent }) => idlePercent === undefined)
			? ["", "CPU time and memory are read from /proc, which this system does not have."]
			: []),
		"",
	].join("\n");
}

function pairsRow({ name, held, foreign = false }: Shape, result: PairsResult): string[] {
	const { calls, window, delays, setUps } = result;
	const perCall = (percent: number | undefined): string => fixed(percent === undefined ? undefined : percent / calls, 2);
	const missed = result.missedBursts === 0 ? "" : `, ${result.missedBursts} tones not heard`;
	return [
		result.encrypted ? `${name}, SRTP` : name,
		String(calls),
		perCall(window.cpuPercent),
		perCall(window.roomsPercent),
		three(delays),
		`${result.packetsLost} of ${result.packetsReceived + result.packetsLost}${missed}`,
		foreign ? NOT_AVAILABLE : String(window.lateFrames),
		two(setUps),
		fixed(window.memoryMb, 0),
		(["rss", "heap", "external"] as const)
			.map((kind) => fixed(foreign && kind !== "rss" ? undefined : (result.held[kind] - held[kind]) / 1e6 / calls, 2))
			.join(" / "),
		fixed(window.othersPercent, 0),
	];
}

function sentences({ name, idlePercent, pairs, joins, outbound, opusCalls, opus }: Shape): string[] {
	const lines = [
		"",
		`**${name}**: ${fixed(idlePercent, 1)} % of a core without calls.`,
		...encryption(pairs),
		...opusCalls.map(opusSentence),
	];
	for (const result of joins) lines.push(joinsSentence(result));
	if (outbound !== undefined) {
		lines.push(
			`Outbound (${outbound.answered.length} calls, the callee answers at once): API call → INVITE p50 / p95 ${two(outbound.invited)} ms, ` +
				`API call → answered (\`wait_until_answered\`) ${two(outbound.answered)} ms.`,
		);
	}
	if (opus !== undefined) {
		lines.push(
			"With an Opus participant (`@livekit/rtc-node`, its own buffering included): " +
				`telephone → participant p50 / p95 / max ${three(opus.toParticipant)} ms, participant → telephone ${three(opus.toTelephone)} ms, ` +
				`INVITE → 200 ${fixed(opus.setUpMs, 0)} ms, ${fixed(opus.window.cpuPercent, 1)} % of a core for the call` +
				`${opus.missedBursts === 0 ? "" : `, ${opus.missedBursts} tones not heard`}.`,
		);
	}
	return lines;
}

function joinsSentence({
	setUps,
	when,
	running,
	failed,
	answered,
	cpuMsPerSetUp,
	mediaMsPerSetUp,
	roomsMsPerSetUp,
	gaps,
	lateFrames,
	othersPercent,
}: JoinsResult): string {
	const gap =
		gaps === undefined
			? ""
			: `; of ${gaps.packets} packets that the ${running} running calls heard ${gaps.heard} came more than 60 ms after the one before, the longest after ${fixed(gaps.worst, 0)} ms`;
	const causes = Object.entries(failed).map(([why, times]) => `${times} × ${why}`);
	const answers = causes.length === 0 ? "all answered" : `not answered ${causes.join(", ")}`;
	return (
		`${setUps} set-ups${when === "the first" ? ", the first of the process" : ""}${running === 0 ? "" : ` beside ${running} calls`}: ${answers}, INVITE → 200 p50 / p95 / max ${three(answered)} ms, ` +
		`${fixed(cpuMsPerSetUp, 1)} ms of CPU each (${fixed(mediaMsPerSetUp, 1)} of it media threads; room server ${fixed(roomsMsPerSetUp, 1)} ms), ${lateFrames} late frames${gap}; other programs ${fixed(othersPercent, 0)} % of a core.`
	);
}

/** How many times ours is better than the other system, for each number of calls. */
function ratios(shapes: readonly Shape[]): string[] {
	const ours = shapes.find(({ foreign }) => foreign !== true);
	const other = shapes.find(({ foreign }) => foreign === true);
	if (ours === undefined || other === undefined) return [];
	const lines = ours.pairs.flatMap((pair) => {
		const same = other.pairs.find(({ calls, encrypted }) => calls === pair.calls && encrypted === pair.encrypted);
		if (same === undefined) return [];
		const compared: [string, number | undefined, number | undefined][] = [
			["CPU", pair.window.cpuPercent, same.window.cpuPercent],
			["mouth to ear p50", spread(pair.delays)?.p50, spread(same.delays)?.p50],
			["p95", spread(pair.delays)?.p95, spread(same.delays)?.p95],
			["INVITE → 200 p50", spread(pair.setUps)?.p50, spread(same.setUps)?.p50],
			["p95", spread(pair.setUps)?.p95, spread(same.setUps)?.p95],
		];
		const told = compared.map(
			([what, own, others]) => `${what} ${fixed(own === undefined || others === undefined ? undefined : others / own, 1)}`,
		);
		return [`Theirs divided by ours, ${pair.calls} calls${pair.encrypted ? " (SRTP)" : ""}: ${told.join(", ")}.`];
	});
	return lines.length === 0 ? [] : ["", ...lines];
}

/** What encrypted calls cost beside those in the clear of the same run. */
function encryption(pairs: readonly PairsResult[]): string[] {
	const counts = [...new Set(pairs.filter(({ encrypted }) => encrypted).map(({ calls }) => calls))];
	return counts.map((calls) => {
		const cost = (encrypted: boolean): number => {
			const rows = pairs.filter((row) => row.calls === calls && row.encrypted === encrypted);
			return rows.reduce((sum, { window }) => sum + (window.cpuPercent ?? Number.NaN), 0) / rows.length / calls;
		};
		const [clear, secure] = [cost(false), cost(true)];
		return `SRTP, ${calls} calls: ${fixed(secure, 2)} % of a core per call against ${fixed(clear, 2)} in the clear: ${fixed((secure / clear - 1) * 100, 0)} % more.`;
	});
}

function opusSentence({ calls, window, toParticipant, toTelephone, missedBursts }: OpusCallsResult): string {
	const percent = window.cpuPercent === undefined ? undefined : window.cpuPercent / calls;
	return (
		`${calls} calls with Opus participants: ${fixed(percent, 2)} % of a core per call, telephone → participant p50 / p95 / max ` +
		`${three(toParticipant)} ms, participant → telephone ${three(toTelephone)} ms, ${window.lateFrames} late frames` +
		`${missedBursts === 0 ? "" : `, ${missedBursts} tones not heard`}, other programs ${fixed(window.othersPercent, 0)} % of a core.`
	);
}

/** Where bytes are allocated while packets flow. */
function allocations(shape: Shape): string[] {
	return shape.pairs.flatMap(({ calls, window }) => {
		if (window.allocations === undefined) return [];
		// each call's in both directions
		const packets = (calls * 2 * (window.until - window.from)) / FRAME_MS;
		const all = allocatedBy(window.allocations);
		const perPacket = (bytes: number): string => (bytes / packets).toFixed(0);
		const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
		return [
			...["", `Allocated with ${calls} calls: ${perPacket(total)} bytes of V8's heap per packet of a telephone.`, ""],
			...table(
				["function", "bytes per packet"],
				all.slice(0, ALLOCATORS).map(({ where, bytes }) => [`\`${where}\``, perPacket(bytes)]),
			),
		];
	});
}

function machine(): string {
	const [first] = cpus();
	return `${first?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores, ${process.platform}, Node ${process.versions.node}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
	return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}

function two(values: readonly number[]): string {
	const of = spread(values);
	return of === undefined ? NOT_AVAILABLE : `${fixed(of.p50, 0)} / ${fixed(of.p95, 0)}`;
}

function three(values: readonly number[]): string {
	const of = spread(values);
	return of === undefined ? NOT_AVAILABLE : `${fixed(of.p50, 1)} / ${fixed(of.p95, 1)} / ${fixed(of.max, 1)}`;
}

const fixed = (value: number | undefined, digits: number): string => (value === undefined ? NOT_AVAILABLE : value.toFixed(digits));
