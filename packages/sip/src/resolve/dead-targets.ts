import type { Address } from "../endpoint-types.ts";
import type { Millis } from "../machine.ts";

const MAX_REMEMBERED = 1_000;

/** Addresses that did not serve us lately (RFC 3263 §4.3): they are tried last until their time is over. */
export class DeadTargets {
	readonly #until = new Map<string, Millis>();

	mark(target: Address, until: Millis): void {
		const key = targetName(target);
		this.#until.delete(key);
		this.#until.set(key, until);
		if (this.#until.size <= MAX_REMEMBERED) return;
		for (const oldest of this.#until.keys()) {
			this.#until.delete(oldest);
			return;
		}
	}

	/** It has answered. */
	clear(target: Address): void {
		this.#until.delete(targetName(target));
	}

	isDead(target: Address, now: Millis): boolean {
		const key = targetName(target);
		const until = this.#until.get(key);
		if (until === undefined) return false;
		if (until > now) return true;
		this.#until.delete(key);
		return false;
	}

	/** The living first, each part in the order given. When all are dead they are tried all the same. */
	order(targets: readonly Address[], now: Millis): Address[] {
		const dead = targets.filter((target) => this.isDead(target, now));
		return [...targets.filter((target) => !dead.includes(target)), ...dead];
	}

	get size(): number {
		return this.#until.size;
	}
}

/** `UDP 192.0.2.1:5060`, `TLS [2001:db8::1]:5061`: for people and as a key. */
export function targetName({ host, port, transport }: Address): string {
	return `${transport} ${host.includes(":") ? `[${host}]` : host}:${port}`;
}
