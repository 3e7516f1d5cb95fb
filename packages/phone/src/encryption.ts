import { randomBytes } from "node:crypto";
import { DtlsAssociation, newCertificate, processCertificate } from "@trunkline/dtls";
import {
	type CryptoSuite,
	type LocalCrypto,
	type LocalDtls,
	type NegotiatedCrypto,
	type NegotiatedDtls,
	suiteKeyBytes,
} from "@trunkline/sdp";
import { SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";

/** SRTP with keys in the SDP (RFC 4568). */
export interface PhoneSrtp {
	/** in order of preference; default AES_CM_128_HMAC_SHA1_80 */
	suites?: readonly CryptoSuite[];
	/** false: calls in the clear are taken, too; default true */
	required?: boolean;
	/** keys of a DTLS handshake (RFC 5763) instead; suites and keys are then the handshake's */
	dtls?: boolean;
	/** with `dtls`: announces another certificate than the one it shows */
	wrongFingerprint?: boolean;
	/** sends under another key than the SDP says, to see what the far side makes of it */
	wrongKey?: boolean;
}

/** New keys. */
export function newCrypto({ suites = ["AES_CM_128_HMAC_SHA1_80"], required = true }: PhoneSrtp): LocalCrypto {
	return { required, keys: suites.map((suite) => ({ suite, key: new Uint8Array(randomBytes(suiteKeyBytes(suite))) })) };
}

export async function newDtls({ required = true, wrongFingerprint = false }: PhoneSrtp): Promise<LocalDtls> {
	const { fingerprint } = await (wrongFingerprint ? newCertificate() : processCertificate());
	return { required, fingerprint };
}

/** The handshake of one call; `use` gets its keys. */
export class Handshake {
	#association: DtlsAssociation | undefined;
	#agreed = "";
	/** True while the keys are to come. */
	pending = false;

	begin(dtls: NegotiatedDtls | undefined, send: (packet: Uint8Array) => void, use: (keys: NegotiatedCrypto) => void): void {
		const agreed = JSON.stringify(dtls);
		if (dtls === undefined || agreed === this.#agreed) return;
		this.close();
		this.#agreed = agreed;
		this.pending = true;
		void processCertificate().then((certificate) => {
			if (agreed !== this.#agreed) return;
			this.#association = new DtlsAssociation({
				...{ role: dtls.role, certificate, fingerprints: dtls.fingerprints, send },
				onConnected: ({ suite, local, remote }) => {
					this.pending = false;
					use({ suite, send: Buffer.concat([local.key, local.salt]), receive: Buffer.concat([remote.key, remote.salt]) });
				},
				// without keys nothing is sent: the far side ends the call
				onFailed: () => undefined,
			});
			this.#association.start();
		});
	}

	receive(packet: Uint8Array): void {
		this.#association?.receive(packet);
	}

	close(): void {
		this.#agreed = "";
		this.#association?.close();
		this.#association = undefined;
	}
}

/** What a call in progress sends and receives, or nothing where it is in the clear. */
export class Encryption {
	readonly #wrongKey: boolean;
	#keys: NegotiatedCrypto | undefined;
	#sender: SrtpSender | undefined;
	#receiver: SrtpReceiver | undefined;
	/** packets that could not be opened */
	errors = 0;

	constructor(wrongKey: boolean) {
		this.#wrongKey = wrongKey;
	}

	/** The same key goes on with its context. */
	use(keys: NegotiatedCrypto | undefined): void {
		const before = this.#keys;
		this.#keys = keys;
		if (keys === undefined) {
			this.#sender = this.#receiver = undefined;
			return;
		}
		const { suite, send, receive } = keys;
		const same = before?.suite === suite;
		if (!same || !Buffer.from(before.send).equals(send)) {
			const key = this.#wrongKey ? send.map((byte) => byte ^ 0xff) : send;
			this.#sender = new SrtpSender(nodeCrypto, suite, key);
		}
		if (!same || !Buffer.from(before.receive).equals(receive)) this.#receiver = new SrtpReceiver(nodeCrypto, suite, receive);
	}

	/** In place; gives the new length, 0 = not to be sent. */
	protect(packet: Uint8Array, length: number): number {
		return this.#sender === undefined ? length : this.#sender.protectRtp(packet, length);
	}

	unprotect(packet: Uint8Array): Uint8Array | undefined {
		if (this.#receiver === undefined) return packet;
		const plain = this.#receiver.unprotectRtp(packet);
		if (plain === undefined) this.errors += 1;
		return plain;
	}
}
