/** Header names as written, and their compact forms (RFC 3261 §20, RFC 3515, RFC 3841, RFC 3892, RFC 4028, RFC 6665, RFC 8224). */
const COMPACT: readonly (readonly [name: string, compact?: string])[] = [
	["Via", "v"],
	["From", "f"],
	["To", "t"],
	["Call-ID", "i"],
	["CSeq"],
	["Contact", "m"],
	["Content-Encoding", "e"],
	["Content-Length", "l"],
	["Content-Type", "c"],
	["Subject", "s"],
	["Supported", "k"],
	["Event", "o"],
	["Refer-To", "r"],
	["Referred-By", "b"],
	["Allow-Events", "u"],
	["Accept-Contact", "a"],
	["Reject-Contact", "j"],
	["Request-Disposition", "d"],
	["Session-Expires", "x"],
	["Identity", "y"],
	["Max-Forwards"],
	["Route"],
	["Record-Route"],
	["Allow"],
	["Accept"],
	["Require"],
	["Proxy-Require"],
	["Unsupported"],
	["User-Agent"],
	["Server"],
	["Date"],
	["Reason"],
	["Expires"],
	["Timestamp"],
	["Retry-After"],
	["Authorization"],
	["Proxy-Authorization"],
	["WWW-Authenticate"],
	["Proxy-Authenticate"],
	["P-Asserted-Identity"],
	["Diversion"],
	["RSeq"],
	["RAck"],
	["Warning"],
	["Min-SE"],
];

const KEYS = new Map<string, string>();
for (const [name, compact] of COMPACT) {
	const key = name.toLowerCase();
	KEYS.set(name, key).set(key, key).set(name.toUpperCase(), key);
	if (compact !== undefined) KEYS.set(compact, key).set(compact.toUpperCase(), key);
}

/** Long name in lower case. */
export function headerKey(name: string): string {
	const known = KEYS.get(name);
	if (known !== undefined) return known;
	const key = name.toLowerCase();
	return KEYS.get(key) ?? key;
}

const RESERVED = new Set([
	"via",
	"from",
	"to",
	"call-id",
	"cseq",
	"max-forwards",
	"route",
	"record-route",
	"content-length",
	"content-type",
	"content-encoding",
	"require",
	"proxy-require",
	"rseq",
	"rack",
	"session-expires",
	"min-se",
]);

/**
 * Header fields that the endpoint alone writes, in long or compact form: a value from outside would break the transaction, the dialog or
 * the framing. What users configure must be checked with this.
 */
export function isReservedHeader(name: string): boolean {
	return RESERVED.has(headerKey(name));
}
