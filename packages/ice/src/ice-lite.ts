import { bindingSuccess, type HmacSha1, integrityHolds, type KeyedHmac, keyOfPassword, parseBindingRequest } from "./stun.ts";

/** Of one media stream, as both descriptions say them (RFC 8839 §5.4). */
export interface IceCredentials {
	ufrag: string;
	password: string;
	remoteUfrag: string;
}

export interface IceCheck {
	/** to be sent to where the check came from */
	reply: Uint8Array;
	/** the peer wants media to go there and come from there now */
	selects: boolean;
}

/** A peer has a few interfaces, and a relay for each; beyond this the oldest is no way to it any more. */
const MAX_VALID = 16;

/**
 * Our side of ICE (RFC 8445 §2.5): a lite agent with one address answers the peer's checks and sends none, so there is nothing to gather and no server
 * to ask. An address is a way to the peer once a check with our password came from it; until then nothing is sent there, whatever SDP says.
 */
export class IceLite {
	readonly #username: string;
	readonly #hmac: KeyedHmac;
	readonly #valid = new Set<string>();
	#selected: { address: string; port: number } | undefined;

	constructor({ ufrag, password, remoteUfrag }: IceCredentials, hmacSha1: HmacSha1) {
		// RFC 8445 §7.2.2: the receiver's fragment comes first
		this.#username = `${ufrag}:${remoteUfrag}`;
		this.#hmac = hmacSha1(keyOfPassword(password));
	}

	/** Where media go: the pair that the peer nominated last, or the first valid one until it has; undefined: nowhere yet. */
	get selected(): { readonly address: string; readonly port: number } | undefined {
		return this.#selected;
	}

	/** Whether a check came from there, so that other packets from there may be the peer's. */
	isValid(address: string, port: number): boolean {
		return this.#valid.has(`${address}:${port}`);
	}

	/** One STUN packet; undefined: it is none of this peer's checks, and gets no answer that would tell anything (RFC 8489 §9.1.3 lets it be dropped). */
	receive(packet: Uint8Array, address: string, port: number): IceCheck | undefined {
		const request = parseBindingRequest(packet);
		if (request?.username !== this.#username || !integrityHolds(packet, request, this.#hmac)) return undefined;
		this.#remember(`${address}:${port}`);
		const selects = this.#select(address, port, request.useCandidate);
		return { reply: bindingSuccess(packet, address, port, this.#hmac), selects };
	}

	/** RFC 8445 §8.2: a lite agent uses what the controlling side nominates. */
	#select(address: string, port: number, nominated: boolean): boolean {
		const before = this.#selected;
		if (before !== undefined && (!nominated || (before.address === address && before.port === port))) return false;
		this.#selected = { address, port };
		return true;
	}

	#remember(source: string): void {
		this.#valid.delete(source);
		this.#valid.add(source);
		if (this.#valid.size <= MAX_VALID) return;
		const [oldest] = this.#valid;
		if (oldest !== undefined) this.#valid.delete(oldest);
	}
}
