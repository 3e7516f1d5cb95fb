import type { AllocationNode } from "./probe-protocol.ts";

export interface Allocated {
	/** function and file */
	where: string;
	/** bytes */
	bytes: number;
}

/** By function, the largest first. What V8 and Node allocate on behalf of a function without a file is its caller's. */
export function allocatedBy(heads: readonly AllocationNode[]): Allocated[] {
	const bytes = new Map<string, number>();
	const visit = (node: AllocationNode, caller: string): void => {
		const where = node.callFrame.url === "" ? caller : nameOf(node.callFrame);
		bytes.set(where, (bytes.get(where) ?? 0) + node.selfSize);
		for (const child of node.children) visit(child, where);
	};
	for (const head of heads) visit(head, "V8");
	return [...bytes].map(([where, total]) => ({ where, bytes: total })).toSorted((a, b) => b.bytes - a.bytes);
}

function nameOf({ functionName, url, lineNumber }: AllocationNode["callFrame"]): string {
	const file = url
		.replace(/^file:\/\//, "")
		.replace(/^.*\/node_modules\//, "")
		.replace(/^.*\/(?=(?:packages|media-node|functions|test)\/)/, "");
	return `${functionName === "" ? "(anonymous)" : functionName} ${file}:${lineNumber + 1}`;
}
