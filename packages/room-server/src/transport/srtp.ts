import { createCipheriv, createDecipheriv, createHmac, createSecretKey, timingSafeEqual } from "node:crypto";

/** The two DTLS-SRTP profiles offered (RFC 5764 §4.1.2, RFC 7714 §14.2), by their numbers on the wire. */
export const AES_CM_128_HMAC_SHA1_80 = 0x0001;
export const AEAD_AES_128_GCM = 0x0007;
export type SrtpProfile = typeof AES_CM_128_HMAC_SHA1_80 | typeof AEAD_AES_128_GCM;

const REPLAY_WINDOW = 64;

/** Bytes that a protected packet is longer than a plain one. */
function overhead(profile: SrtpProfile): number {
	return profile === AEAD_AES_128_GCM ? 16 : 10;
}

interface Cipher {
	/** Encrypts `payload` behind the header that is already in `out`, and writes the tag after it. */
	seal(out: Buffer, headerLength: number, payload: Uint8Array, ssrc: number, rollover: number, sequence: number): void;
	/** The plain payload; undefined when the tag is wrong. */
	open(packet: Buffer, headerLength: number, ssrc: number, rollover: number, sequence: number): Buffer | undefined;
}

/** The packet indices (rollover × 2^16 + sequence, RFC 3711 §3.3.1) of one SSRC, and which of the latest 64 were there (§3.3.2). */
class IndexWindow {
	#highest: number;
	readonly #seen = new Float64Array(REPLAY_WINDOW).fill(-1);

	constructor(sequence: number) {
		this.#highest = sequence;
	}

	/** The index nearest to the highest one (RFC 3711 Appendix A); -1 when it was there before, or is too old to tell. */
	next(sequence: number): number {
		const last = this.#highest % 0x10000;
		const base = this.#highest - last;
		let index = base + sequence;
		if (last < 0x8000 && sequence - last > 0x8000) index -= 0x10000;
		else if (last >= 0x8000 && last - 0x8000 > sequence) index += 0x10000;
		if (index < 0 || index <= this.#highest - REPLAY_WINDOW || this.#seen[index % REPLAY_WINDOW] === index) return -1;
		return index;
	}

	take(index: number): void {
		if (index > this.#highest) this.#highest = index;
		this.#seen[index % REPLAY_WINDOW] = index;
	}
}

/** Protects the RTP that leaves on one connection. Header-in-place: no packet object between forwarder and socket. */
export class SrtpSender {
	readonly overhead: number;
	readonly #cipher: Cipher;
	readonly #streams = new Map<number, IndexWindow>();

	constructor(profile: SrtpProfile, masterKey: Buffer, masterSalt: Buffer) {
		this.overhead = overhead(profile);
		this.#cipher = createCipher(profile, masterKey, masterSalt);
	}

	/**
	 * `out` holds the header in its first `headerLength` bytes and is exactly header + payload + overhead long. False: the packet must not be
	 * sent, its index was used before. Two packets under one index would give the keys away (RFC 7714 §8.4, RFC 3711 §9.1), whatever a
	 * publisher does with its sequence numbers.
	 */
	protect(out: Buffer, headerLength: number, payload: Uint8Array): boolean {
		const sequence = out.readUInt16BE(2);
		const ssrc = out.readUInt32BE(8);
		let stream = this.#streams.get(ssrc);
		if (stream === undefined) {
			stream = new IndexWindow(sequence);
			this.#streams.set(ssrc, stream);
		}
		const index = stream.next(sequence);
		if (index === -1) return false;
		stream.take(index);
		this.#cipher.seal(out, headerLength, payload, ssrc, Math.floor(index / 0x10000), sequence);
		return true;
	}
}

/** Most SSRCs remembered of one peer; each publication brings one. Beyond it the oldest is forgotten. */
const MAX_STREAMS = 512;

/** Opens the SRTP that arrives on one connection: authenticates, drops replays, decrypts. */
export class SrtpReceiver {
	readonly #cipher: Cipher;
	readonly #overhead: number;
	readonly #streams = new Map<number, IndexWindow>();

	constructor(profile: SrtpProfile, masterKey: Buffer, masterSalt: Buffer) {
		this.#overhead = overhead(profile);
		this.#cipher = createCipher(profile, masterKey, masterSalt);
	}

	/** The plain payload of a packet whose header is `headerLength` long; undefined when forged, replayed or too old. */
	unprotect(packet: Buffer, headerLength: number): Buffer | undefined {
		if (packet.length < headerLength + this.#overhead) return undefined;
		const sequence = packet.readUInt16BE(2);
		const ssrc = packet.readUInt32BE(8);
		const known = this.#streams.get(ssrc);
		const stream = known ?? new IndexWindow(sequence);
		const index = stream.next(sequence);
		if (index === -1) return undefined;
		const payload = this.#cipher.open(packet, headerLength, ssrc, Math.floor(index / 0x10000), sequence);
		if (payload === undefined) return undefined;
		// only an authenticated packet moves the window or adds a stream
		stream.take(index);
		if (known === undefined) this.#remember(ssrc, stream);
		return payload;
	}

	#remember(ssrc: number, stream: IndexWindow): void {
		const oldest = this.#streams.keys().next();
		if (this.#streams.size >= MAX_STREAMS && oldest.done !== true) this.#streams.delete(oldest.value);
		this.#streams.set(ssrc, stream);
	}
}

function createCipher(profile: SrtpProfile, masterKey: Buffer, masterSalt: Buffer): Cipher {
	return profile === AEAD_AES_128_GCM ? gcmCipher(masterKey, masterSalt) : counterModeCipher(masterKey, masterSalt);
}

/** RFC 7714 §8.1: IV = (00 00 | SSRC | ROC | SEQ) XOR salt; the header is the associated data. */
function gcmCipher(masterKey: Buffer, masterSalt: Buffer): Cipher {
	// a key as bytes costs Node 24 three times as much per packet as a KeyObject (11 µs, 3 µs)
	const key = createSecretKey(deriveSessionKey(masterKey, masterSalt, 0, 16));
	const salt = deriveSessionKey(masterKey, masterSalt, 2, 12);
	const iv = Buffer.alloc(12);
	const setIv = (ssrc: number, rollover: number, sequence: number): void => {
		salt.copy(iv);
		iv.writeUInt32BE((salt.readUInt32BE(2) ^ ssrc) >>> 0, 2);
		iv.writeUInt32BE((salt.readUInt32BE(6) ^ rollover) >>> 0, 6);
		iv.writeUInt16BE(salt.readUInt16BE(10) ^ sequence, 10);
	};
	return {
		seal(out, headerLength, payload, ssrc, rollover, sequence) {
			setIv(ssrc, rollover, sequence);
			const cipher = createCipheriv("aes-128-gcm", key, iv);
			cipher.setAAD(out.subarray(0, headerLength));
			cipher.update(payload).copy(out, headerLength);
			cipher.final();
			cipher.getAuthTag().copy(out, headerLength + payload.length);
		},
		open(packet, headerLength, ssrc, rollover, sequence) {
			setIv(ssrc, rollover, sequence);
			const tagOffset = packet.length - 16;
			const decipher = createDecipheriv("aes-128-gcm", key, iv, { authTagLength: 16 });
			decipher.setAAD(packet.subarray(0, headerLength));
			decipher.setAuthTag(packet.subarray(tagOffset));
			const plain = decipher.update(packet.subarray(headerLength, tagOffset));
			try {
				decipher.final();
			} catch {
				return undefined;
			}
			return plain;
		},
	};
}

/** RFC 3711 §4.1.1 (AES counter mode) and §4.2 (HMAC-SHA1 over packet and ROC, cut to 80 bits). */
function counterModeCipher(masterKey: Buffer, masterSalt: Buffer): Cipher {
	const key = createSecretKey(deriveSessionKey(masterKey, masterSalt, 0, 16));
	const authKey = createSecretKey(deriveSessionKey(masterKey, masterSalt, 1, 20));
	const salt = Buffer.concat([deriveSessionKey(masterKey, masterSalt, 2, 14), Buffer.alloc(2)]);
	const iv = Buffer.alloc(16);
	const rolloverBytes = Buffer.alloc(4);
	const setIv = (ssrc: number, rollover: number, sequence: number): void => {
		salt.copy(iv);
		iv.writeUInt32BE((salt.readUInt32BE(4) ^ ssrc) >>> 0, 4);
		iv.writeUInt32BE((salt.readUInt32BE(8) ^ rollover) >>> 0, 8);
		iv.writeUInt16BE(salt.readUInt16BE(12) ^ sequence, 12);
	};
	const tag = (authenticated: Buffer, rollover: number): Buffer => {
		rolloverBytes.writeUInt32BE(rollover >>> 0);
		return createHmac("sha1", authKey).update(authenticated).update(rolloverBytes).digest().subarray(0, 10);
	};
	return {
		seal(out, headerLength, payload, ssrc, rollover, sequence) {
			setIv(ssrc, rollover, sequence);
			createCipheriv("aes-128-ctr", key, iv).update(payload).copy(out, headerLength);
			tag(out.subarray(0, out.length - 10), rollover).copy(out, out.length - 10);
		},
		open(packet, headerLength, ssrc, rollover, sequence) {
			const tagOffset = packet.length - 10;
			if (!timingSafeEqual(tag(packet.subarray(0, tagOffset), rollover), packet.subarray(tagOffset))) return undefined;
			setIv(ssrc, rollover, sequence);
			return createDecipheriv("aes-128-ctr", key, iv).update(packet.subarray(headerLength, tagOffset));
		},
	};
}

/**
 * RFC 3711 §4.3.1 and §4.3.3 with key derivation rate 0: AES counter mode over (salt XOR label at byte 7), which is also what
 * RFC 7714 §11 says for GCM, its 12 byte salt padded to 14 with zeros.
 */
export function deriveSessionKey(masterKey: Buffer, masterSalt: Buffer, label: number, length: number): Buffer {
	const iv = Buffer.alloc(16);
	masterSalt.copy(iv);
	iv[7] = (iv[7] ?? 0) ^ label;
	return createCipheriv("aes-128-ctr", masterKey, iv).update(Buffer.alloc(length));
}
