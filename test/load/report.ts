import { cpus } from "node:os";
import type { OpusResult } from "./opus.ts";
import type { OutboundResult } from "./outbound.ts";
import type { PairsResult } from "./pairs.ts";
import { spread } from "./statistics.ts";

export interface Shape {
	/** which processes, in words */
	name: string;
	/** of a core, without calls; undefined = not available */
	idlePercent: number | undefined;
	pairs: PairsResult[];
	outbound: OutboundResult | undefined;
	opus: OpusResult | undefined;
}

const NOT_AVAILABLE = "n/a";

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
				"INVITE → 200, p50 / p95 ms",
				"memory, MB",
				"other programs, % of a core",
			],
			shapes.flatMap((shape) => shape.pairs.map((result) => pairsRow(shape.name, result))),
		),
		...shapes.flatMap(sentences),
		...(shapes.some(({ idlePercent }) => idlePercent === undefined)
			? ["", "CPU time and memory are read from /proc, which this system does not have."]
			: []),
		"",
	].join("\n");
}

function pairsRow(name: string, result: PairsResult): string[] {
	const { calls, window, delays, setUps } = result;
	const perCall = (percent: number | undefined): string => fixed(percent === undefined ? undefined : percent / calls, 2);
	const missed = result.missedBursts === 0 ? "" : `, ${result.missedBursts} tones not heard`;
	return [
		name,
		String(calls),
		perCall(window.cpuPercent),
		perCall(window.roomsPercent),
		three(delays),
		`${result.packetsLost} of ${result.packetsReceived + result.packetsLost}${missed}`,
		two(setUps),
		fixed(window.memoryMb, 0),
		fixed(window.othersPercent, 0),
	];
}

function sentences({ name, idlePercent, outbound, opus }: Shape): string[] {
	const lines = ["", `**${name}**: ${fixed(idlePercent, 1)} % of a core without calls.`];
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
