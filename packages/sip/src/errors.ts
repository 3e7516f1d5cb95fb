/** The caller broke a promise of this package's interface (CR in a header value, a reserved header, …): a bug, never a peer's doing. */
export class SipUsageError extends Error {
	override readonly name = "SipUsageError";
}
