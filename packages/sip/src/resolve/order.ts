import type { NaptrRecord, SrvRecord } from "./dns.ts";

/** RFC 3403 §4.1: by order, and by preference within one order. */
export function orderNaptr(records: readonly NaptrRecord[]): NaptrRecord[] {
	return [...records].sort((a, b) => a.order - b.order || a.preference - b.preference);
}

/**
 * RFC 2782: by priority, and within one priority drawn by weight. `random` gives numbers in 0..1 (1 excluded), one per record.
 */
export function orderSrv(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
	const groups = new Map<number, SrvRecord[]>();
	for (const record of records) {
		const group = groups.get(record.priority);
		if (group === undefined) groups.set(record.priority, [record]);
		else group.push(record);
	}
	const priorities = [...groups.keys()].sort((a, b) => a - b);
	return priorities.flatMap((priority) => drawn(groups.get(priority) ?? [], random));
}

function drawn(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
	// "Arrange all SRV RRs (that have not been ordered yet) in any order, except that all those with weight 0 are placed at the beginning of the list."
	const left = [...records].sort((a, b) => Math.sign(a.weight) - Math.sign(b.weight));
	const ordered: SrvRecord[] = [];
	while (left.length > 0) {
		const sum = left.reduce((total, { weight }) => total + weight, 0);
		// "choose a uniform random number between 0 and the sum computed (inclusive), and select the RR whose running sum value is the first in the
		// selected order which is greater than or equal to the random number selected."
		const chosen = Math.floor(random() * (sum + 1));
		let running = 0;
		const index = left.findIndex(({ weight }) => (running += weight) >= chosen);
		ordered.push(...left.splice(Math.max(0, index), 1));
	}
	return ordered;
}
