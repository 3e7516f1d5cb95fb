import { DomainError } from "@trunkline/domain";
import type { ApiDeps } from "./deps.ts";

/** Beyond this many others in a row who were faster somebody changes the item all the time. */
const MAX_ATTEMPTS = 10;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 160;

/**
 * Read, change, write: and again, when the item has become another version in between. `store` gives false for that. Throws `aborted` when it goes
 * on, and whatever `read`, `change` and `store` throw.
 */
export async function changing<T, Next>(
	{ sleep, random }: Pick<ApiDeps, "sleep" | "random">,
	steps: {
		/** throws `not_found` when there is nothing to change */
		read: () => Promise<T>;
		change: (item: T) => Next;
		store: (previous: T, next: Next) => Promise<boolean>;
		/** for the error */
		what?: string;
	},
): Promise<Next> {
	for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		const previous = await steps.read();
		const next = steps.change(previous);
		if (await steps.store(previous, next)) return next;
		// Full jitter, so that two who met do not meet again.
		const [byte = 0] = random(1);
		await sleep((Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (byte + 1)) / 256);
	}
	const what = steps.what ?? "the same trunk or dispatch rule";
	throw new DomainError("aborted", `others are changing ${what} at this moment; read it again, and try again`);
}
