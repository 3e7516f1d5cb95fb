import { expect, test } from "vitest";
import { allocatedBy } from "./allocations.ts";
import type { AllocationNode } from "./probe-protocol.ts";

const node = (functionName: string, url: string, selfSize: number, children: AllocationNode[] = []): AllocationNode => ({
	callFrame: { functionName, url, lineNumber: 6 },
	selfSize,
	children,
});

test("by function, over all threads, what is built in with its caller", () => {
	const send = node("send", "file:///any/where/media-node/src/x.ts", 100, [node("slice", "", 50), node("emit", "node:events", 5)]);
	const parse = node("", "file:///any/node_modules/werift/lib/index.mjs", 400);
	expect(allocatedBy([node("(root)", "", 7, [send, parse]), node("(root)", "", 0, [send])])).toEqual([
		{ where: "(anonymous) werift/lib/index.mjs:7", bytes: 400 },
		{ where: "send media-node/src/x.ts:7", bytes: 300 },
		{ where: "emit node:events:7", bytes: 10 },
		{ where: "V8", bytes: 7 },
	]);
});
