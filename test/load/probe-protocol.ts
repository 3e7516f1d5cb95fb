/** What the benchmark and the probe inside the measured process say to each other. */
export interface ProbeQuestion {
	id: number;
	/** threads besides the main one */
	workers: number;
	/** collected = after a garbage collection in every thread; profile, profiled = the allocation profile begins, ends */
	what: "now" | "collected" | "profile" | "profiled";
}

/** One thread; bytes. */
export interface ThreadSample {
	threadId: number;
	isMainThread: boolean;
	heapUsed: number;
	/** what V8 has of the system for it */
	heapTotal: number;
	external: number;
	arrayBuffers: number;
	/** Node's resources that are open, by kind */
	handles: Record<string, number>;
	/** frames that came 20 ms late or more, since the start */
	lateFrames: number;
	allocations?: AllocationNode;
}

export interface ProbeAnswer {
	id: number;
	/** of the whole process, bytes */
	rss: number;
	threads: ThreadSample[];
}

/** As V8's sampling heap profiler tells it. */
export interface AllocationNode {
	callFrame: { functionName: string; url: string; lineNumber: number };
	/** bytes, estimated from the samples */
	selfSize: number;
	children: AllocationNode[];
}
