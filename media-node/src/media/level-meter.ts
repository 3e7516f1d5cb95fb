/** −dBov; what is not louder than this is a pause, and would only say how much of the call was pause */
const QUIETEST = 50;

/** Mean level of what is said in one direction, between two looks. */
export class LevelMeter {
	#sum = 0;
	#count = 0;

	/** RFC 6464: −dBov, 0 (loudest) .. 127 */
	add(level: number): void {
		if (level > QUIETEST) return;
		this.#sum += level;
		this.#count += 1;
	}

	/** Since the call of it before; undefined when nobody spoke. */
	take(): number | undefined {
		const mean = this.#count === 0 ? undefined : this.#sum / this.#count;
		this.#sum = this.#count = 0;
		return mean;
	}
}
