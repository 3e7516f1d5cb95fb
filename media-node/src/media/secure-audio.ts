import type { NegotiatedCrypto } from "@trunkline/sdp";
import { SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";

/** SRTP of one call, both directions, or nothing where the call is in the clear. */
export class SecureAudio {
	#sendKey: Uint8Array | undefined;
	#receiveKey: Uint8Array | undefined;
	#sender: SrtpSender | undefined;
	#receiver: SrtpReceiver | undefined;
	/** of the key before, while the peer may not know yet that we have its new one */
	#previous: SrtpReceiver | undefined;
	/** of the key before, while it is open whether the peer counts on under the new one */
	#senderBefore: SrtpSender | undefined;
	/** the keys are still to come of a handshake: nothing passes */
	#awaits = false;
	/** packets that were not let in */
	errors = 0;

	/** After each offer/answer. The same key goes on with its context: a rollover counter that began anew would make everything unreadable. */
	use(srtp: NegotiatedCrypto | undefined): void {
		this.#awaits = false;
		if (srtp === undefined) {
			this.#sendKey = this.#receiveKey = this.#sender = this.#receiver = this.#previous = this.#senderBefore = undefined;
			return;
		}
		const { suite, send, receive } = srtp;
		if (this.#sender?.suite !== suite || !sameKey(this.#sendKey, send)) {
			this.#senderBefore = this.#sender;
			this.#sender = new SrtpSender(nodeCrypto, suite, send);
			this.#sendKey = send;
		}
		if (this.#receiver?.suite !== suite || !sameKey(this.#receiveKey, receive)) {
			this.#previous = this.#receiver;
			this.#receiver = new SrtpReceiver(nodeCrypto, suite, receive, this.#previous?.rollovers());
			this.#receiveKey = receive;
		}
	}

	/** Nothing passes, in either direction, until `use`. */
	awaitKeys(): void {
		this.use(undefined);
		this.#awaits = true;
	}

	/** what is received must prove that it is the peer's */
	get isOn(): boolean {
		return this.#awaits || this.#receiver !== undefined;
	}

	/** SRTCP (RFC 3711 §3.4), or as it is. `packet` has room behind `length`. */
	protectRtcp(packet: Uint8Array, length: number): number {
		if (this.#awaits) return 0;
		return this.#sender === undefined ? length : this.#sender.protectRtcp(packet, length);
	}

	/** In place; undefined = not the peer's. */
	unprotectRtcp(packet: Uint8Array): Uint8Array | undefined {
		if (this.#receiver === undefined) return this.#inTheClear(packet);
		const plain = this.#receiver.unprotectRtcp(packet) ?? this.#previous?.unprotectRtcp(packet);
		if (plain === undefined) this.errors += 1;
		return plain;
	}

	/** In place; gives the new length, 0 = not to be sent. */
	protect(packet: Uint8Array, length: number): number {
		if (this.#awaits) return 0;
		return this.#sender === undefined ? length : this.#sender.protectRtp(packet, length);
	}

	/** In place; undefined = not the peer's. */
	unprotect(packet: Uint8Array): Uint8Array | undefined {
		if (this.#receiver === undefined) return this.#inTheClear(packet);
		const plain = this.#receiver.unprotectRtp(packet);
		if (plain !== undefined) {
			this.#previous = undefined;
			if (this.#senderBefore !== undefined) this.#countOn(this.#senderBefore, this.#receiver.keptRollover);
			return plain;
		}
		const late = this.#previous?.unprotectRtp(packet);
		if (late === undefined) this.errors += 1;
		return late;
	}

	/** Peers that begin anew expect that of us, too. */
	#countOn(before: SrtpSender, peerDoes: boolean): void {
		this.#senderBefore = undefined;
		if (peerDoes) this.#sender?.goOnFrom(before.rollovers());
	}

	#inTheClear(packet: Uint8Array): Uint8Array | undefined {
		if (!this.#awaits) return packet;
		this.errors += 1;
		return undefined;
	}
}

function sameKey(a: Uint8Array | undefined, b: Uint8Array): boolean {
	return a?.length === b.length && a.every((byte, i) => byte === b[i]);
}
