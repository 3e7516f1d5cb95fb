/** RFC 3261 table 4, RFC 6026 §7 (L, M). "guard" is ours: a request that the driver never answers must not stay for ever. */
export type TimerName = "A" | "B" | "D" | "E" | "F" | "G" | "H" | "I" | "J" | "K" | "L" | "M" | "guard";

export type State = "start" | "calling" | "trying" | "proceeding" | "accepted" | "completed" | "confirmed" | "terminated";

/**
 * What can happen to a transaction. Responses by class; for a client they come from the network, for a server from its user (the
 * endpoint). "request" is a retransmission of the request that made a server transaction.
 */
export type Input = "begin" | "1xx" | "2xx" | "3xx-6xx" | "request" | "ack" | "transport-error" | `timer ${TimerName}`;

/**
 * "send": the request, or the latest response, goes out (again). "inform": the user gets the message. "ack": ACK to a non-2xx response.
 * "start X" uses the interval of `interval()` in transaction.ts; "backoff X" doubles it. Entering "terminated" stops everything.
 */
export type Action =
	| "send"
	| "inform"
	| "ack"
	| "inform timeout"
	| "inform transport error"
	| `start ${TimerName}`
	| `stop ${TimerName}`
	| `backoff ${TimerName}`;

export interface Step {
	readonly to: State;
	readonly do: readonly Action[];
}

/** state × input → step. What a state does not list is absorbed without a change, as the RFC's figures have it. */
export type Table = Readonly<Partial<Record<State, Readonly<Partial<Record<Input, Step>>>>>>;
