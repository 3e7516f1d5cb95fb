/** A clock that is off by less is left alone: what is compared with others' times is good for seconds, and a Date header counts whole ones. */
const TOLERATED_MS = 2_000;
/** An answer that took longer says little of when it was given. */
const LONGEST_MS = 2_000;
/** A Date header (RFC 9110 §6.6.1) is the second that has begun. */
const HALF_A_SECOND_MS = 500;

export interface TableClockOptions {
	/** this machine's, ms since the epoch */
	now(): number;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/**
 * The time that all nodes of a region agree on, by their table's answers: whose own clock is wrong would take living peers for dead, be taken for dead itself, and end
 * dial requests as late that have just been made.
 */
export class TableClock {
	readonly #options: TableClockOptions;
	#offsetMs = 0;
	#heard = false;
	/** what one answer has told that is not like what was known */
	#doubtedMs: number | undefined;

	constructor(options: TableClockOptions) {
		this.#options = options;
	}

	/** ms since the epoch */
	now = (): number => Math.round(this.#options.now() + this.#offsetMs);

	/**
	 * An answer of the table with this Date header, to a request that was sent and answered then by this machine's clock. After the first one it takes two in a row
	 * that agree: by the clock of one machine among many, or of a proxy, living peers would be dead.
	 */
	answered(date: string | undefined, sentAt: number, receivedAt: number): void {
		const told = date === undefined ? Number.NaN : Date.parse(date);
		if (Number.isNaN(told) || receivedAt < sentAt || receivedAt - sentAt > LONGEST_MS) return;
		const seen = told + HALF_A_SECOND_MS - (sentAt + receivedAt) / 2;
		const offsetMs = Math.abs(seen) < TOLERATED_MS ? 0 : seen;
		const [isFirst, doubtedMs] = [!this.#heard, this.#doubtedMs];
		this.#heard = true;
		this.#doubtedMs = undefined;
		if (Math.abs(offsetMs - this.#offsetMs) < TOLERATED_MS) return;
		if (!isFirst && (doubtedMs === undefined || Math.abs(offsetMs - doubtedMs) >= TOLERATED_MS)) {
			this.#doubtedMs = offsetMs;
			return;
		}
		this.#offsetMs = offsetMs;
		this.#options.log.warn(
			{ offMs: Math.round(-offsetMs) },
			"this machine's clock against that of the table, which is what counts among nodes",
		);
	}
}

type Next = (args: unknown) => Promise<{ response: unknown }>;

/** What of an AWS client is needed. */
interface Answering {
	middlewareStack: {
		add(middleware: (next: Next) => Next, options: { step: "deserialize"; name: string; override: boolean }): void;
	};
}

/** Has the clock hear every answer that a client gets, also those to requests that it repeats. */
export function setBy(clock: TableClock, client: object, now: () => number): void {
	const hear =
		(next: Next): Next =>
		async (args) => {
			const sentAt = now();
			const result = await next(args);
			clock.answered(dateOf(result.response), sentAt, now());
			return result;
		};
	(client as Answering).middlewareStack.add(hear, { step: "deserialize", name: "tableClock", override: true });
}

function dateOf(response: unknown): string | undefined {
	return (response as { headers?: Record<string, string> } | undefined)?.headers?.["date"];
}
