import { type Fingerprint, isUsableHash } from "@trunkline/dtls";
import { parseCandidate, type ServerCandidate } from "./candidate.ts";

/** What a description says of the one transport that all its sections share (BUNDLE, RFC 9143). */
export interface RemoteTransport {
	ufrag: string;
	password: string;
	isLite: boolean;
	fingerprints: readonly Fingerprint[];
	/** undefined: not said */
	setup: string | undefined;
	candidates: readonly ServerCandidate[];
	/** undefined: no data channels */
	sctp: { port: number; maxMessageSize: number } | undefined;
}

const DEFAULT_SCTP_PORT = 5_000;
/** RFC 8841 §6.1 */
const DEFAULT_MAX_MESSAGE_BYTES = 65_536;
/** A stranger may write any number of lines. */
const MAX_FINGERPRINTS = 16;
const MAX_CANDIDATES = 64;

/** The first of each attribute counts, in the session part or in a section. Undefined: this describes no transport. */
export function parseRemoteTransport(sdp: string): RemoteTransport | undefined {
	const fingerprints: Fingerprint[] = [];
	const candidates: ServerCandidate[] = [];
	const first = new Map<string, string>();
	let hasData = false;
	for (const line of sdp.split(/\r?\n/)) {
		if (line.startsWith("m=application ") && !line.startsWith("m=application 0 ")) hasData = true;
		if (!line.startsWith("a=")) continue;
		const colon = line.indexOf(":");
		const name = colon === -1 ? line.slice(2) : line.slice(2, colon);
		const value = colon === -1 ? "" : line.slice(colon + 1).trim();
		if (name === "fingerprint") {
			const [algorithm = "", hash = ""] = value.split(" ");
			const isKnown = fingerprints.some((known) => known.value === hash && known.algorithm === algorithm);
			if (isUsableHash(algorithm) && !isKnown && fingerprints.length < MAX_FINGERPRINTS) fingerprints.push({ algorithm, value: hash });
		} else if (name === "candidate") {
			const candidate = candidates.length < MAX_CANDIDATES ? parseCandidate(value) : undefined;
			if (candidate !== undefined) candidates.push(candidate);
		} else if (!first.has(name)) first.set(name, value);
	}
	const [ufrag, password] = [first.get("ice-ufrag"), first.get("ice-pwd")];
	if (ufrag === undefined || password === undefined) return undefined;
	const number = (name: string, otherwise: number): number => Number.parseInt(first.get(name) ?? "", 10) || otherwise;
	return {
		...{ ufrag, password, fingerprints, candidates, setup: first.get("setup"), isLite: first.has("ice-lite") },
		sctp: hasData
			? { port: number("sctp-port", DEFAULT_SCTP_PORT), maxMessageSize: number("max-message-size", DEFAULT_MAX_MESSAGE_BYTES) }
			: undefined,
	};
}
