import type { CallEnd } from "./call-end.ts";

/** What the phone's caller asked for cannot be done: a URI that is none, a file, a port, an option. The message is one line for a person. */
export class PhoneError extends Error {
	override readonly name = "PhoneError";
}

/** The call ended before it was answered. */
export class CallFailedError extends Error {
	override readonly name = "CallFailedError";
	readonly end: CallEnd;

	constructor(end: CallEnd) {
		super(end.status === undefined ? end.reason : `${end.status} ${end.reason}`);
		this.end = end;
	}
}
