import { DtlsAssociation, type DtlsCertificate, type DtlsSrtpKeys } from "@trunkline/dtls";
import { IceLite, isStun } from "@trunkline/ice";
import type { NegotiatedDtls, NegotiatedIce } from "@trunkline/sdp";
import { nodeCrypto } from "@trunkline/srtp/node";
import type { MediaEvent, NegotiatedAudio } from "../call/ports.ts";
import type { SecureAudio } from "./secure-audio.ts";
import type { SourceGuard } from "./source-guard.ts";

export interface HandshakeOptions {
	guard: SourceGuard;
	secure: SecureAudio;
	/** unset: no DTLS, as the SDP had no fingerprint of ours */
	certificate: DtlsCertificate | undefined;
	send(packet: Uint8Array, port: number, address: string): void;
	onEvent(event: MediaEvent): void;
}

/** RFC 7983 §7: below it are STUN and DTLS on a port of RTP, whose first byte is 128 at least */
const FIRST_OF_RTP = 64;
const [FIRST_OF_DTLS, LAST_OF_DTLS] = [20, 63];
/** From the answer on. Longer than three retransmissions of a flight that is lost (RFC 6347 §4.2.4.1: after 1, 2 and 4 s). */
const TIME_LIMIT_MS = 10_000;

/** Whether a datagram of the RTP port is for `CallHandshake`. */
export function isHandshake(packet: Uint8Array): boolean {
	return (packet[0] ?? 0) < FIRST_OF_RTP;
}

/**
 * What comes before audio where the SDP says so: the peer's ICE checks (RFC 8445, we are lite) tell where media go, and the DTLS handshake (RFC 5763) gives
 * the keys. Until both are done nothing is sent, and nothing of the peer's is let in.
 */
export class CallHandshake {
	readonly #options: HandshakeOptions;
	#ice: { agreed: NegotiatedIce; agent: IceLite } | undefined;
	#dtls: { agreed: NegotiatedDtls; association: DtlsAssociation; begun: boolean; done: boolean } | undefined;
	/** of the latest DTLS packet that may be the peer's */
	#peer: { address: string; port: number } | undefined;
	#since: number | undefined;
	#failed = false;

	constructor(options: HandshakeOptions) {
		this.#options = options;
	}

	/** After each offer/answer, when the guard knows of it. */
	negotiated({ srtp, dtls, ice }: NegotiatedAudio, anotherPeer: boolean): void {
		this.#useIce(ice, anotherPeer);
		if (dtls !== undefined) return this.#useDtls(dtls, anotherPeer);
		this.#dtls?.association.close();
		this.#dtls = undefined;
		this.#options.secure.use(srtp);
	}

	/** There is a way to the peer; without ICE that is what SDP says. */
	get hasWay(): boolean {
		return this.#ice === undefined || this.#ice.agent.selected !== undefined;
	}

	/** One datagram for which `isHandshake` holds. */
	onPacket(packet: Uint8Array, address: string, port: number): void {
		const first = packet[0] ?? 0;
		if (isStun(packet)) this.#onCheck(packet, address, port);
		else if (first >= FIRST_OF_DTLS && first <= LAST_OF_DTLS) this.#onDtls(packet, address, port);
	}

	/** Every 20 ms. `answered`: we may send first, and from here on the peer should be heard of. */
	tick(now: number, answered: boolean): void {
		if (!answered || this.#failed || this.#isDone) return;
		this.#since ??= now;
		const dtls = this.#dtls;
		if (dtls?.begun === false && this.hasWay) {
			dtls.begun = true;
			dtls.association.start();
		}
		if (now - this.#since < TIME_LIMIT_MS) return;
		const seconds = TIME_LIMIT_MS / 1_000;
		this.#fail(this.hasWay ? `no DTLS handshake within ${seconds} s` : `no ICE check of the telephone within ${seconds} s`);
	}

	close(): void {
		this.#dtls?.association.close();
	}

	get #isDone(): boolean {
		return this.hasWay && this.#dtls?.done !== false;
	}

	#useIce(agreed: NegotiatedIce | undefined, anotherPeer: boolean): void {
		const known = this.#ice?.agreed;
		// RFC 8839 §4.4.1.1.1: a changed fragment or password is a restart
		if (known !== undefined && !anotherPeer && sameIce(known, agreed)) return;
		this.#ice = agreed && { agreed, agent: new IceLite(agreed, nodeCrypto.hmacSha1) };
		this.#options.guard.useIce(this.#ice?.agent);
		this.#since = undefined;
	}

	#useDtls(agreed: NegotiatedDtls, anotherPeer: boolean): void {
		const known = this.#dtls;
		// RFC 8842 §4: other fingerprints, another tls-id or another role ask for another association; anything else goes on.
		if (known !== undefined && !anotherPeer && sameDtls(known.agreed, agreed)) return;
		known?.association.close();
		const { certificate, secure } = this.#options;
		if (certificate === undefined) throw new Error("DTLS was agreed upon without a certificate of ours");
		// Of the same peer the keys of before do until there are new ones; of another one, or where there are none, nothing passes.
		if (anotherPeer || known?.done !== true) secure.awaitKeys();
		const association = new DtlsAssociation({
			...{ role: agreed.role, certificate, fingerprints: agreed.fingerprints },
			send: (packet) => this.#send(packet),
			onConnected: (keys) => this.#onKeys(keys),
			onFailed: (reason) => this.#fail(reason),
		});
		this.#dtls = { agreed, association, begun: false, done: false };
		this.#peer = undefined;
		this.#since = undefined;
	}

	#onCheck(packet: Uint8Array, address: string, port: number): void {
		const check = this.#ice?.agent.receive(packet, address, port);
		if (check !== undefined) this.#options.send(check.reply, port, address);
		else if (this.#ice !== undefined) this.#options.guard.refused += 1;
	}

	#onDtls(packet: Uint8Array, address: string, port: number): void {
		if (this.#dtls === undefined || !this.#options.guard.admits(address, port)) return;
		this.#peer = { address, port };
		this.#dtls.association.receive(packet);
	}

	/** A server answers where the client is; a client begins where SDP or ICE says. */
	#send(packet: Uint8Array): void {
		const { guard, send } = this.#options;
		const { address, port } = this.#peer ?? guard;
		if (port !== 0) send(packet, port, address);
	}

	#onKeys({ suite, local, remote }: DtlsSrtpKeys): void {
		if (this.#dtls === undefined) return;
		this.#dtls.done = true;
		const { guard, secure, onEvent } = this.#options;
		secure.use({ suite, send: Buffer.concat([local.key, local.salt]), receive: Buffer.concat([remote.key, remote.salt]) });
		// Who has proven to be the one that the SDP announced is there and nowhere else.
		if (this.#peer !== undefined) guard.latch(this.#peer.address, this.#peer.port);
		onEvent({ type: "secured", suite });
	}

	#fail(message: string): void {
		if (this.#failed) return;
		this.#failed = true;
		this.#dtls?.association.close();
		this.#options.onEvent({ type: "not-secured", message });
	}
}

function sameIce(a: NegotiatedIce, b: NegotiatedIce | undefined): boolean {
	return a.ufrag === b?.ufrag && a.password === b.password && a.remoteUfrag === b.remoteUfrag && a.remotePassword === b.remotePassword;
}

function sameDtls(a: NegotiatedDtls, b: NegotiatedDtls): boolean {
	const prints = ({ fingerprints }: NegotiatedDtls): string => fingerprints.map(({ algorithm, value }) => `${algorithm} ${value}`).join();
	return a.role === b.role && a.tlsId === b.tlsId && prints(a) === prints(b);
}
