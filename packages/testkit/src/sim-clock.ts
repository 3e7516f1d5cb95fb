interface Alarm {
	at: number;
	order: number;
	fire: () => void;
}

/** Simulated time in ms: nothing happens but by `runFor` or `runUntilIdle`, and then without waiting. */
export class SimClock {
	#now: number;
	#order = 0;
	#alarms: Alarm[] = [];

	constructor(start = 0) {
		this.#now = start;
	}

	now(): number {
		return this.#now;
	}

	/** Runs `fire` at that instant (now, when it is past), after everything set earlier for the same instant. Gives a function that cancels. */
	wakeAt(at: number, fire: () => void): () => void {
		const alarm: Alarm = { at: Math.max(at, this.#now), order: this.#order++, fire };
		this.#insert(alarm);
		return () => {
			const index = this.#alarms.indexOf(alarm);
			if (index >= 0) this.#alarms.splice(index, 1);
		};
	}

	runFor(duration: number): void {
		this.runUntil(this.#now + duration);
	}

	/** Lets everything up to and including the instant happen; then it is that instant. */
	runUntil(end: number): void {
		for (let next = this.#alarms[0]; next !== undefined && next.at <= end; next = this.#alarms[0]) this.#fire(next);
		this.#now = Math.max(this.#now, end);
	}

	/** Runs until nothing is set any more; throws after `most` ms, for what never ends. */
	runUntilIdle(most: number): void {
		const end = this.#now + most;
		for (let next = this.#alarms[0]; next !== undefined; next = this.#alarms[0]) {
			if (next.at > end) throw new Error(`still not idle after ${most} ms: next alarm at ${next.at}`);
			this.#fire(next);
		}
	}

	#fire(alarm: Alarm): void {
		this.#alarms.shift();
		this.#now = alarm.at;
		alarm.fire();
	}

	#insert(alarm: Alarm): void {
		let [low, high] = [0, this.#alarms.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			const other = this.#alarms[middle];
			if (other !== undefined && (other.at < alarm.at || (other.at === alarm.at && other.order < alarm.order))) low = middle + 1;
			else high = middle;
		}
		this.#alarms.splice(low, 0, alarm);
	}
}
