import type { DtlsCertificate } from "../certificate.ts";
import type { DtlsCrypto } from "../crypto.ts";
import { type Fingerprint, isAnnounced } from "../fingerprint.ts";
import type { DirectionKeys, Role } from "../key-schedule.ts";
import type { DtlsSrtpKeys, DtlsSrtpSuite } from "../suites.ts";
import { type HandshakeMessage, writeMessage } from "../wire/fragments.ts";

export interface HandshakeOptions {
	certificate: DtlsCertificate;
	/** of the peer's certificate, as its SDP has them; one has to fit */
	fingerprints: readonly Fingerprint[];
	/** in order of preference */
	suites: readonly DtlsSrtpSuite[];
	crypto: DtlsCrypto;
}

/** What a side says in one go (RFC 6347 §4.2.4). What stands behind the change of cipher is encrypted. */
export interface Flight {
	readonly items: readonly (HandshakeMessage | "change-cipher-spec")[];
	/** the peer answers it; until then it is said again and again */
	readonly isAnswered: boolean;
}

/** What comes of a message of the peer. */
export interface Step {
	flight?: Flight;
	/** keys of records from here on */
	keys?: Record<Role, DirectionKeys>;
	/** the peer has proven who it is */
	connected?: DtlsSrtpKeys;
	/** it was said by nobody who counts: what has its number may still come */
	isForgotten?: true;
	/** why this comes to nothing, with the alert that says so (RFC 5246 §7.2) */
	failed?: { reason: string; alert: number };
}

/** One side of a handshake, without records, losses and time. */
export interface Handshake {
	/** Nothing for a server. */
	begin(): Flight | undefined;
	/** The peer's messages, each once and in order. */
	onMessage(message: HandshakeMessage): Step;
}

export const ALERTS = {
	unexpectedMessage: 10,
	handshakeFailure: 40,
	badCertificate: 42,
	illegalParameter: 47,
	decodeError: 50,
	decryptError: 51,
} as const;

export function failed(reason: string, alert: keyof typeof ALERTS): Step {
	return { failed: { reason: `the DTLS handshake has failed: ${reason}`, alert: ALERTS[alert] } };
}

/** It speaks DTLS well, but cannot be the one that signalling announced. */
export function notAuthentic(reason: string, alert: keyof typeof ALERTS): Step {
	return { failed: { reason: `the peer of the DTLS handshake is not who its SDP says: ${reason}`, alert: ALERTS[alert] } };
}

export const unexpected = ({ type }: HandshakeMessage): Step => failed(`message ${type} where it has no place`, "unexpectedMessage");
export const broken = ({ type }: HandshakeMessage): Step => failed(`message ${type} cannot be read`, "decodeError");

/** A certificate is no secret: that it is the announced one proves nothing yet, but another one proves enough. */
export function whyNotAnnounced(certificate: Buffer | undefined, fingerprints: readonly Fingerprint[]): Step | undefined {
	if (certificate === undefined) return notAuthentic("the peer has shown no certificate", "badCertificate");
	return isAnnounced(certificate, fingerprints)
		? undefined
		: notAuthentic("its certificate is not the one that the SDP announced", "badCertificate");
}

/** All messages of both sides so far, which are hashed and signed (RFC 5246 §7.4.8, §7.4.9). */
export class Conversation {
	readonly #messages: Buffer[] = [];
	#sequence = 0;

	heard(message: HandshakeMessage): void {
		this.#messages.push(writeMessage(message));
	}

	say(type: number, body: Buffer): HandshakeMessage {
		const message = { type, sequence: this.#sequence++, body };
		this.#messages.push(writeMessage(message));
		return message;
	}

	/** RFC 6347 §4.2.1: the first ClientHello and HelloVerifyRequest do not count. */
	beginAnew(): void {
		this.#messages.length = 0;
	}

	get transcript(): Buffer {
		return Buffer.concat(this.#messages);
	}
}

export function sameBytes(a: Buffer, b: Buffer): boolean {
	if (a.length !== b.length) return false;
	let difference = 0;
	for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
	return difference === 0;
}
