/**
 * Who this node's inbound calls are in their rooms. The records tell of other nodes' calls, but only some time after these were placed: two
 * calls that come at once would each see a free identity, and a room server puts out whoever has it when the second one joins.
 */
export class Identities {
	readonly #callOf = new Map<string, string>();
	readonly #keyOf = new Map<string, string>();

	/** The call has this identity in the room from now on; false: another call of this node has it. */
	take(callId: string, roomName: string, identity: string): boolean {
		const key = JSON.stringify([roomName, identity]);
		if (this.#callOf.has(key)) return false;
		this.release(callId);
		this.#callOf.set(key, callId);
		this.#keyOf.set(callId, key);
		return true;
	}

	/** The call is over. */
	release(callId: string): void {
		const key = this.#keyOf.get(callId);
		if (key === undefined) return;
		this.#keyOf.delete(callId);
		this.#callOf.delete(key);
	}

	get size(): number {
		return this.#callOf.size;
	}
}
