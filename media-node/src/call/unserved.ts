/** The answer to a request inside a dialog that no call serves. */
export function unserved(method: string): [status: number, reason: string] {
	// RFC 6665 §4.1.3, §8.3.2: a NOTIFY of an event package that nobody has subscribed to.
	return method === "NOTIFY" ? [489, "Bad Event"] : [501, "Not Implemented"];
}
