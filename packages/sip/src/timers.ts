import type { Millis } from "./machine.ts";

/** RFC 3261 §17.1.1.1 and table 4. */
export interface TimerConstants {
	readonly t1: Millis;
	readonly t2: Millis;
	readonly t4: Millis;
}

export const RFC3261_TIMERS: TimerConstants = { t1: 500, t2: 4000, t4: 5000 };

interface Entry {
	at: Millis;
	/** order of setting, so that equal instants fire in a defined order */
	order: number;
	/** undefined once stopped */
	fire: ((now: Millis) => void) | undefined;
}

export type TimerHandle = Entry;

/** All timers of an endpoint: a binary heap by instant. Stopping is O(1); stopped entries leave when they surface or when they are the majority. */
export class TimerQueue {
	#heap: Entry[] = [];
	#order = 0;
	#stopped = 0;

	set(at: Millis, fire: (now: Millis) => void): TimerHandle {
		const entry: Entry = { at, order: this.#order++, fire };
		this.#heap.push(entry);
		this.#up(this.#heap.length - 1);
		return entry;
	}

	stop(handle: TimerHandle | undefined): void {
		if (handle?.fire === undefined) return;
		handle.fire = undefined;
		this.#stopped++;
		if (this.#stopped > 64 && this.#stopped > this.#heap.length / 2) this.#compact();
	}

	/** Instant of the earliest live timer. */
	next(): Millis | undefined {
		while (this.#heap[0] !== undefined && this.#heap[0].fire === undefined) {
			this.#pop();
			this.#stopped--;
		}
		return this.#heap[0]?.at;
	}

	/** Fires everything due, in order; timers that become due meanwhile too. */
	advance(now: Millis): void {
		for (let at = this.next(); at !== undefined && at <= now; at = this.next()) {
			const entry = this.#pop();
			const fire = entry?.fire;
			if (entry !== undefined) entry.fire = undefined;
			fire?.(now);
		}
	}

	/** live timers */
	get size(): number {
		return this.#heap.length - this.#stopped;
	}

	/** entries held, stopped ones that have not left yet included */
	get heapLength(): number {
		return this.#heap.length;
	}

	#pop(): Entry | undefined {
		const top = this.#heap[0];
		const last = this.#heap.pop();
		if (last !== undefined && this.#heap.length > 0) {
			this.#heap[0] = last;
			this.#down(0);
		}
		return top;
	}

	#compact(): void {
		this.#heap = this.#heap.filter((entry) => entry.fire !== undefined).sort((a, b) => (before(a, b) ? -1 : 1));
		this.#stopped = 0;
	}

	#up(from: number): void {
		let index = from;
		while (index > 0) {
			const parent = (index - 1) >> 1;
			if (!this.#swapIfBefore(index, parent)) return;
			index = parent;
		}
	}

	#down(from: number): void {
		let index = from;
		for (;;) {
			const left = 2 * index + 1;
			const [a, b] = [this.#heap[left], this.#heap[left + 1]];
			if (a === undefined) return;
			const child = b !== undefined && before(b, a) ? left + 1 : left;
			if (!this.#swapIfBefore(child, index)) return;
			index = child;
		}
	}

	#swapIfBefore(child: number, parent: number): boolean {
		const [c, p] = [this.#heap[child], this.#heap[parent]];
		if (c === undefined || p === undefined || !before(c, p)) return false;
		this.#heap[parent] = c;
		this.#heap[child] = p;
		return true;
	}
}

function before(a: Entry, b: Entry): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}
