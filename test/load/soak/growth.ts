import type { ProbeAnswer } from "../probe-protocol.ts";

/** What is held at one moment without calls, after a garbage collection. */
export interface Held {
	/** bytes */
	rss: number;
	heap: number;
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
	const bytes = (name: string, field: "rss" | "heap" | "external", slack: number): void => {
		const more = after[field] - before[field];
		if (more > slack + before[field] * 0.03) grown.push(`${name} by ${megabytes(more)}`);
	};
	bytes("heap", "heap", HEAP_SLACK);
	bytes("external memory", "external", HEAP_SLACK);
	bytes("resident memory", "rss", RSS_SLACK);
	if (after.handles - before.handles > HANDLE_SLACK) grown.push(`handles by ${after.handles - before.handles}`);
	const sockets = (after.sockets ?? 0) - (before.sockets ?? 0);
	if (sockets > HANDLE_SLACK) grown.push(`sockets by ${sockets}`);
	return grown;
}

/** The line at the end: what was there before, what is there now. */
export function verdict(before: Held, after: Held): string {
	const grown = growth(before, after);
	const pair = (name: string, field: "rss" | "heap" | "external"): string =>
		`${name} ${megabytes(before[field])} → ${megabytes(after[field])}`;
	const figures = [
		...[pair("heap", "heap"), pair("external", "external"), pair("resident", "rss")],
		...[`handles ${before.handles} → ${after.handles}`, `sockets ${before.sockets ?? "n/a"} → ${after.sockets ?? "n/a"}`],
	].join(", ");
	return `**${grown.length === 0 ? "No growth" : `Grown: ${grown.join(", ")}`}** (without calls, after a collection): ${figures}.`;
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
