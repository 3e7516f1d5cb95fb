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
	/** packets that came from somewhere else */
	refused = 0;

	/** A new offer/answer: what SDP says, and where the signalling comes from (NAT: SDP may hold a private address). */
	reset(sdpAddress: string, sdpPort: number, signallingAddress: string): void {
		if (sdpAddress === this.#sdpAddress && sdpPort === this.#sdpPort && signallingAddress === this.#signallingAddress) return;
		this.#sdpAddress = sdpAddress;
		this.#sdpPort = sdpPort;
		this.#signallingAddress = signallingAddress;
		this.#latchedAddress = "";
		this.#latchedPort = 0;
	}

	accepts(address: string, port: number): boolean {
		if (this.#latchedPort !== 0) {
			if (port === this.#latchedPort && address === this.#latchedAddress) return true;
			this.refused += 1;
			return false;
		}
		if (address !== this.#sdpAddress && address !== this.#signallingAddress) {
			this.refused += 1;
			return false;
		}
		this.#latchedAddress = address;
		this.#latchedPort = port;
		return true;
	}

	/** where to send */
	get address(): string {
		return this.#latchedPort === 0 ? this.#sdpAddress : this.#latchedAddress;
	}

	get port(): number {
		return this.#latchedPort === 0 ? this.#sdpPort : this.#latchedPort;
	}
}
