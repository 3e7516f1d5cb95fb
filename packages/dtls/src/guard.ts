import { DtlsServer, type DtlsSocket } from "werift";
import { FINISHED, whyNotAuthentic } from "./authentication.ts";
import type { Fingerprint } from "./fingerprint.ts";

export interface HandshakeGuardOptions {
	/** of the peer's certificate, as its SDP has them when the handshake is over; one has to fit */
	fingerprints(): readonly Fingerprint[];
	/** the peer is not who its SDP says; comes before the library's `onError`, once at most */
	onRefused?(reason: string): void;
}

/** content types of records (RFC 5246 §6.2.1) */
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const RECORD_HEADER_BYTES = 13;
/** ClientHello and HelloVerifyRequest: what the cookie exchange repeats with another content (RFC 6347 §4.2.1) */
const COOKIE_EXCHANGE: ReadonlySet<number> = new Set([1, 3]);

/**
 * Lets a handshake of the DTLS library count only when the peer is who its SDP says: its `onConnect` does not come before that is proven, and comes never
 * when it cannot be, but `onError`. No application data passes before. Has to be called in the turn in which `dtls` was made, before anything arrives.
 */
export function guardHandshake(dtls: DtlsSocket, options: HandshakeGuardOptions): void {
	const first = new Map<number, Buffer>();
	let state: "handshaking" | "authentic" | "refused" = "handshaking";

	const { execute } = dtls.onConnect;
	dtls.onConnect.execute = (): void => {
		// the library tells it again for each Finished that is repeated
		if (state !== "handshaking") return;
		const problem = whyNotAuthentic(dtls, dtls instanceof DtlsServer ? "server" : "client", first.get(FINISHED), options.fingerprints());
		first.clear();
		// A repeated ServerHelloDone that came just before is still under way in the library, and would end in new keys.
		Object.assign(dtls, { flight5: undefined });
		state = problem === undefined ? "authentic" : "refused";
		if (problem === undefined) return execute();
		const reason = `the peer of the DTLS handshake is not who its SDP says: ${problem}`;
		options.onRefused?.(reason);
		dtls.onError.execute(new Error(reason));
	};

	const handle = dtls.onHandleHandshakes;
	dtls.onHandleHandshakes = async (messages): Promise<void> => {
		// Of what is repeated the library takes the later one for its keys: only what is the same again is a retransmission.
		const isWanted = ({ msg_type: type, fragment }: (typeof messages)[number]): boolean => {
			if (state !== "handshaking") return type === FINISHED;
			if (COOKIE_EXCHANGE.has(type)) return true;
			const earlier = first.get(type);
			if (earlier === undefined) first.set(type, fragment);
			return earlier?.equals(fragment) ?? true;
		};
		await handle(messages.filter(isWanted));
	};

	const { socket } = dtls.transport;
	const receive = socket.onData;
	// One by one: what stands behind Finished in the same datagram has to meet the state after it.
	socket.onData = (datagram: Buffer, ...from): void => {
		for (const record of recordsOf(datagram)) {
			if (state === "handshaking" ? isOfHandshake(record) : state === "authentic" && isOfAssociation(dtls, record))
				receive(record, ...from);
		}
	};
}

function* recordsOf(datagram: Buffer): Generator<Buffer> {
	for (let at = 0; at + RECORD_HEADER_BYTES <= datagram.length; ) {
		const end = at + RECORD_HEADER_BYTES + datagram.readUInt16BE(at + 11);
		if (end <= datagram.length) yield datagram.subarray(at, end);
		at = end;
	}
}

/** ChangeCipherSpec, alerts, handshake. The library takes a record of an unknown type for an alert. */
function isOfHandshake(record: Buffer): boolean {
	const type = record[0] ?? 0;
	return type < APPLICATION_DATA;
}

/**
 * What may still come once the handshake is over. In the clear nothing may: the library would begin a new handshake for a ClientHello, take new keys from a
 * key exchange, and an alert for the end, and all of them can be written by anybody who knows the peer's address. A new handshake is for signalling to ask
 * for (RFC 8842 §5). The library decrypts handshake messages and data, but believes an alert that only pretends to be encrypted.
 */
function isOfAssociation(dtls: DtlsSocket, record: Buffer): boolean {
	if (record.readUInt16BE(3) === 0) return false;
	if (record[0] === ALERT && isDecryptable(dtls, record)) dtls.onClose.execute();
	return record[0] === HANDSHAKE || record[0] === APPLICATION_DATA;
}

function isDecryptable(dtls: DtlsSocket, record: Buffer): boolean {
	const recordLayerHeader = {
		contentType: record.readUInt8(0),
		protocolVersion: { major: record.readUInt8(1), minor: record.readUInt8(2) },
		epoch: record.readUInt16BE(3),
		sequenceNumber: record.readUIntBE(5, 6),
		contentLen: record.readUInt16BE(11),
	};
	try {
		// the library asks nothing else of it
		const plaintext = { recordLayerHeader, fragment: record.subarray(RECORD_HEADER_BYTES) } as Parameters<
			DtlsSocket["cipher"]["decryptPacket"]
		>[0];
		dtls.cipher.decryptPacket(plaintext);
		return true;
	} catch {
		return false;
	}
}
