import { Event, RTCDataChannel, RTCDataChannelParameters, type RTCDtlsTransport, RTCSctpTransport } from "werift";
import { limits } from "../limits.ts";

/** LiveKit's two data channels, by label. */
export type DataKind = "reliable" | "lossy";

const labels: Record<DataKind, string> = { reliable: "_reliable", lossy: "_lossy" };

/**
 * The part of an RTCDtlsTransport that werift's SCTP uses. RFC 8832 §6 ties stream id parity to the DTLS role; werift takes it from the ICE
 * role, so "controlled" makes this side wait for the client's INIT.
 */
class DtlsBridge {
	readonly id = crypto.randomUUID();
	readonly iceTransport = { role: "controlled" };
	readonly onStateChange = new Event<["closed"]>();
	dataReceiver: (data: Buffer) => void = () => undefined;
	readonly sendData: (data: Buffer) => Promise<void>;

	constructor(sendData: (data: Buffer) => Promise<void>) {
		this.sendData = sendData;
	}
}

/** SCTP over one DTLS connection, seen as LiveKit's `_reliable` and `_lossy` messages. */
export class DataChannels {
	readonly #bridge: DtlsBridge;
	readonly #sctp: RTCSctpTransport;
	readonly #channels = new Map<DataKind, RTCDataChannel>();
	readonly #onMessage: (kind: DataKind, message: Buffer) => void;
	/** reliable messages that came before their channel was open */
	#early: Uint8Array[] = [];
	#closed = false;

	constructor(
		remotePort: number,
		remoteMaxMessageSize: number,
		sendData: (data: Buffer) => Promise<void>,
		onMessage: (kind: DataKind, message: Buffer) => void,
	) {
		this.#bridge = new DtlsBridge(sendData);
		this.#onMessage = onMessage;
		this.#sctp = new RTCSctpTransport(5000, limits.dataPacketBytes);
		this.#sctp.setDtlsTransport(this.#bridge as unknown as RTCDtlsTransport);
		this.#sctp.setRemoteMaxMessageSize(remoteMaxMessageSize);
		this.#sctp.setRemotePort(remotePort);
		this.#sctp.onDataChannel.subscribe((channel) => this.#adopt(channel));
	}

	start(remotePort: number): void {
		this.#sctp.start(remotePort).catch(() => undefined);
	}

	/** Opens both channels from this side (the subscriber connection of the two-connection path). Odd ids: RFC 8832 §6, DTLS server. */
	open(): void {
		this.#create("reliable", 1, {});
		this.#create("lossy", 3, { ordered: false, maxRetransmits: 0 });
	}

	/** A decrypted DTLS record. */
	receive(data: Buffer): void {
		this.#bridge.dataReceiver(data);
	}

	/** False when the message could not go: channel not open, or a lossy one whose receiver is too slow. */
	send(kind: DataKind, message: Uint8Array): boolean {
		const channel = this.#channels.get(kind);
		if (channel?.readyState !== "open") return kind === "reliable" && this.#keepEarly(message);
		if (kind === "lossy" && channel.bufferedAmount > limits.dataChannelBacklogBytes) return false;
		try {
			channel.send(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
			return true;
		} catch {
			// larger than what the peer takes
			return false;
		}
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#sctp.stop().catch(() => undefined);
		this.#channels.clear();
		this.#early = [];
	}

	/** Others see a participant from the moment its transport is up, a few ms before its channels are: what they send then must not be lost. */
	#keepEarly(message: Uint8Array): boolean {
		if (this.#closed || this.#early.length >= limits.earlyDataPackets) return false;
		this.#early.push(message);
		return true;
	}

	#sendEarly(): void {
		const early = this.#early;
		this.#early = [];
		for (const message of early) this.send("reliable", message);
	}

	#create(kind: DataKind, id: number, options: { ordered?: boolean; maxRetransmits?: number }): void {
		const parameters = new RTCDataChannelParameters({
			label: labels[kind],
			ordered: true,
			protocol: "",
			negotiated: false,
			id,
			...options,
		});
		this.#adopt(new RTCDataChannel(this.#sctp, parameters));
	}

	#adopt(channel: RTCDataChannel): void {
		const kind = channel.label === labels.reliable ? "reliable" : channel.label === labels.lossy ? "lossy" : undefined;
		// data tracks (`_data_track`) and channels of other names stay unused
		if (kind === undefined) return;
		this.#channels.set(kind, channel);
		if (kind === "reliable") {
			channel.stateChanged.subscribe((state) => {
				if (state === "open") this.#sendEarly();
			});
		}
		channel.onMessage.subscribe((message) => {
			if (typeof message !== "string" && message.length <= limits.dataPacketBytes) this.#onMessage(kind, message);
		});
	}
}
