import type { ProbeAnswer } from "../probe-protocol.ts";

/** What is held at one moment without calls, after a garbage collection. */
export interface Held {
	/** bytes */
	rss: number;
	heap: number;
	/** part of `rss` that V8 keeps for what it will allocate, and nothing is in: how much is chance, at any moment */
	spare: number;
	/** outside of V8's heap, buffers among it */
	external: number;
	/** Node's resources that are open */
	handles: number;
	/** of the operating system; undefined where there is no /proc */
	sockets: number | undefined;
}

/** All threads together. */
export function heldOf({ rss, threads }: ProbeAnswer, sockets: number | undefined): Held {
	const sum = (of: (thread: ProbeAnswer["threads"][number]) => number): number => threads.reduce((total, thread) => total + of(thread), 0);
	return {
		rss,
		heap: sum(({ heapUsed }) => heapUsed),
		spare: sum(({ heapTotal, heapUsed }) => heapTotal - heapUsed),
		external: sum(({ external }) => external),
		handles: sum(({ handles }) => Object.values(handles).reduce((total, count) => total + count, 0)),
		sockets,
	};
}

/** What an allocator and a compiler may still take after the first minutes. */
const HEAP_SLACK = 4e6;
const RSS_SLACK = 24e6;
/** a timer that happens to be there, a connection that is kept alive */
const HANDLE_SLACK = 4;

/** What has grown, in words; none: nothing has. */
export function growth(before: Held, after: Held): string[] {
	const grown: string[] = [];
	const bytes = (name: string, of: (held: Held) => number, slack: number): void => {
		const more = of(after) - of(before);
		if (more > slack + of(before) * 0.03) grown.push(`${name} by ${megabytes(more)}`);
	};
	bytes("heap", ({ heap }) => heap, HEAP_SLACK);
	bytes("external memory", ({ external }) => external, HEAP_SLACK);
	bytes("resident memory that is in use", ({ rss, spare }) => rss - spare, RSS_SLACK);
	if (after.handles - before.handles > HANDLE_SLACK) grown.push(`handles by ${after.handles - before.handles}`);
	const sockets = (after.sockets ?? 0) - (before.sockets ?? 0);
	if (sockets > HANDLE_SLACK) grown.push(`sockets by ${sockets}`);
	return grown;
}

/** The line at the end: what was there before, what is there now. */
export function verdict(before: Held, after: Held): string {
	const grown = growth(before, after);
	const pair = (name: string, field: "rss" | "heap" | "spare" | "external"): string =>
		`${name} ${megabytes(before[field])} → ${megabytes(after[field])}`;
	const figures = [
		...[pair("heap", "heap"), pair("external", "external"), pair("resident", "rss"), pair("of it V8's spare", "spare")],
		...[`handles ${before.handles} → ${after.handles}`, `sockets ${before.sockets ?? "n/a"} → ${after.sockets ?? "n/a"}`],
	].join(", ");
	return `**${grown.length === 0 ? "No growth" : `Grown: ${grown.join(", ")}`}** (without calls, after a collection): ${figures}.`;
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
