/** ICE (RFC 8445): addresses that the peer's checks came from, and the one that it has selected. */
export interface IceWay {
	isValid(address: string, port: number): boolean;
	readonly selected: { readonly address: string; readonly port: number } | undefined;
}

/** Of the former source, after the peer has said that it is elsewhere: on their way meanwhile, until our answer is there (2 s). More: it has stayed. */
const MAX_LEAVING = 100;

/**
 * Whose packets a call listens to, and where its own go. The first acceptable packet latches the source; only signalling changes it again
 * (`reset`). Without this a stranger who sprays the port range hears or speaks into calls ("RTP bleed", CVE-2025-53399).
 */
export class SourceGuard {
	#sdpAddress = "";
	#sdpPort = 0;
	#signallingAddress = "";
	#latchedAddress = "";
	#latchedPort = 0;
	/** of the peer whose place another one has taken */
	#formerAddress = "";
	#formerPort = 0;
	/** of the peer itself, from before its SDP named another address */
	#leavingAddress = "";
	#leavingPort = 0;
	#left = 0;
	#ice: IceWay | undefined;
	/** packets that came from somewhere else */
	refused = 0;

	/**
	 * A new offer/answer: what SDP says, and where the signalling comes from (NAT: SDP may hold a private address). A loopback or link-local address
	 * from elsewhere would aim a stranger's call at this machine's own services: the signalling's address stands for it.
	 */
	reset(offeredAddress: string, sdpPort: number, signallingAddress: string): void {
		const sdpAddress = isOwnMachine(offeredAddress) && !isOwnMachine(signallingAddress) ? signallingAddress : offeredAddress;
		const isThere = sdpAddress === this.#sdpAddress && sdpPort === this.#sdpPort;
		// The hold of old (RFC 2543 B.5) says nothing of where the peer is.
		if ((isThere && signallingAddress === this.#signallingAddress) || (isNowhere(sdpAddress) && this.#sdpPort !== 0)) return;
		if (!isThere && this.#latchedPort !== 0) this.#leaves(sdpAddress, sdpPort);
		this.#sdpAddress = sdpAddress;
		this.#sdpPort = sdpPort;
		this.#signallingAddress = signallingAddress;
		this.#latchedAddress = "";
		this.#latchedPort = 0;
	}

	/** Until it has our answer the peer goes on where it was; those packets must not hold it there. */
	#leaves(toAddress: string, toPort: number): void {
		const stays = this.#latchedPort === toPort && this.#latchedAddress === toAddress;
		this.#leavingAddress = stays ? "" : this.#latchedAddress;
		this.#leavingPort = stays ? 0 : this.#latchedPort;
		this.#left = 0;
	}

	/** From now on the peer's checks alone tell where it is, whatever SDP says; undefined: SDP tells. */
	useIce(ice: IceWay | undefined): void {
		this.#ice = ice;
	}

	/** Another peer comes in the place of this one: what the former one still sends must not be taken for the new one's. Before `reset`. */
	replaced(): void {
		this.#formerAddress = this.address;
		this.#formerPort = this.port;
		this.#sdpPort = this.#latchedPort = this.#leavingPort = 0;
	}

	/** Whether a packet from there may be the peer's. It decides nothing yet: `latch` does, when the packet proved to be. */
	admits(address: string, port: number): boolean {
		const admitted = this.#ice === undefined ? this.#mayBePeer(address, port) : this.#ice.isValid(address, port);
		if (!admitted) this.refused += 1;
		return admitted;
	}

	#mayBePeer(address: string, port: number): boolean {
		if (this.#latchedPort !== 0) return port === this.#latchedPort && address === this.#latchedAddress;
		return (address === this.#sdpAddress || address === this.#signallingAddress) && !this.#isFormer(address, port);
	}

	#isFormer(address: string, port: number): boolean {
		return port === this.#formerPort && address === this.#formerAddress && port !== this.#sdpPort;
	}

	/** The first time: from here on the peer is there and nowhere else. */
	latch(address: string, port: number): void {
		if (this.#latchedPort !== 0 || this.#ice !== undefined) return;
		if (port === this.#leavingPort && address === this.#leavingAddress && ++this.#left < MAX_LEAVING) return;
		this.#leavingPort = 0;
		this.#latchedAddress = address;
		this.#latchedPort = port;
	}

	/**
	 * A NAT has given the peer another port in a pause (its binding has run out): only for a packet that SRTP has let in and that goes on with the stream of
	 * before. In the clear nothing but signalling moves the source.
	 */
	move(address: string, port: number): void {
		this.#latchedAddress = address;
		this.#latchedPort = port;
		this.refused -= 1;
	}

	/** Whether packets from there could be the peer's behind a NAT that has changed its port. */
	mayMove(address: string): boolean {
		return (
			this.#ice === undefined &&
			this.#latchedPort !== 0 &&
			(address === this.#latchedAddress || address === this.#sdpAddress || address === this.#signallingAddress)
		);
	}

	/** Exactly where the peer is, as far as we know. Counts nothing. */
	isAt(address: string, port: number): boolean {
		return port === this.port && address === this.address;
	}

	/** the peer has sent something */
	get latched(): boolean {
		return this.#ice === undefined ? this.#latchedPort !== 0 : this.#ice.selected !== undefined;
	}

	/** where to send */
	get address(): string {
		if (this.#ice !== undefined) return this.#ice.selected?.address ?? "";
		return this.#latchedPort === 0 ? this.#sdpAddress : this.#latchedAddress;
	}

	get port(): number {
		if (this.#ice !== undefined) return this.#ice.selected?.port ?? 0;
		return this.#latchedPort === 0 ? this.#sdpPort : this.#latchedPort;
	}
}

const isNowhere = (address: string): boolean => address === "0.0.0.0" || address === "::";

/** Loopback (RFC 1122 §3.2.1.3) and link-local (RFC 3927), IPv6 alike: an address that means another machine to whoever wrote it. */
function isOwnMachine(address: string): boolean {
	const v4 = address.slice(address.lastIndexOf(":") + 1);
	if (v4.includes(".")) return v4.startsWith("127.") || v4.startsWith("169.254.");
	return /^[0:]*:0*1$/.test(address) || /^fe[89ab]/i.test(address);
}
