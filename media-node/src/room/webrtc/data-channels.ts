import { Event, RTCDataChannel, RTCDataChannelParameters, type RTCDtlsTransport, RTCSctpTransport } from "werift";

/** A channel that we open. */
export interface ChannelOptions {
	label: string;
	ordered: boolean;
	maxRetransmits?: number;
}

export interface DataChannelsOptions {
	/** of ours over DTLS; RFC 8832 §6 ties the numbers of channels to it */
	dtlsRole: "client" | "server";
	/** the one that controls ICE begins the SCTP association, as in werift */
	begins: boolean;
	remote: { port: number; maxMessageSize: number };
	channels: readonly ChannelOptions[];
	send(data: Buffer): Promise<void>;
	onMessage(bytes: Uint8Array): void;
}

const SCTP_PORT = 5_000;
const MAX_MESSAGE_BYTES = 65_536;
/** A message that waits for its channel longer than this queue is dropped, oldest first. */
const MAX_WAITING_MESSAGES = 64;

/** The part of an RTCDtlsTransport that werift's SCTP uses. */
class DtlsBridge {
	readonly id = crypto.randomUUID();
	readonly iceTransport: { role: "controlling" | "controlled" };
	readonly onStateChange = new Event<["closed"]>();
	dataReceiver: (data: Buffer) => void = () => undefined;
	readonly sendData: (data: Buffer) => Promise<void>;

	constructor(begins: boolean, sendData: (data: Buffer) => Promise<void>) {
		this.iceTransport = { role: begins ? "controlling" : "controlled" };
		this.sendData = sendData;
	}
}

/** Messages over SCTP over DTLS (RFC 8831): werift's. */
export class DataChannels {
	readonly #bridge: DtlsBridge;
	readonly #sctp = new RTCSctpTransport(SCTP_PORT, MAX_MESSAGE_BYTES);
	readonly #own = new Map<string, RTCDataChannel>();
	readonly #onMessage: (bytes: Uint8Array) => void;
	readonly #waiting: { label: string; bytes: Buffer }[] = [];

	constructor({ dtlsRole, begins, remote, channels, send, onMessage }: DataChannelsOptions) {
		this.#bridge = new DtlsBridge(begins, send);
		this.#onMessage = onMessage;
		this.#sctp.setDtlsTransport(this.#bridge as unknown as RTCDtlsTransport);
		this.#sctp.setRemoteMaxMessageSize(remote.maxMessageSize);
		this.#sctp.setRemotePort(remote.port);
		this.#sctp.onDataChannel.subscribe((channel) => this.#adopt(channel));
		let id = dtlsRole === "client" ? 0 : 1;
		for (const options of channels) {
			const channel = new RTCDataChannel(this.#sctp, new RTCDataChannelParameters({ protocol: "", negotiated: false, ...options, id }));
			this.#own.set(options.label, channel);
			this.#adopt(channel);
			id += 2;
		}
		this.#sctp.start(remote.port).catch(() => undefined);
	}

	/** A decrypted DTLS record. */
	receive(data: Buffer): void {
		this.#bridge.dataReceiver(data);
	}

	/** On a channel that we have opened, now or when it is open. */
	send(label: string, bytes: Uint8Array): void {
		const channel = this.#own.get(label);
		if (channel?.readyState === "open") channel.send(Buffer.from(bytes));
		else if (channel?.readyState === "connecting") {
			if (this.#waiting.length === MAX_WAITING_MESSAGES) this.#waiting.shift();
			this.#waiting.push({ label, bytes: Buffer.from(bytes) });
		}
	}

	async close(): Promise<void> {
		this.#waiting.length = 0;
		await this.#sctp.stop().catch(() => undefined);
	}

	#adopt(channel: RTCDataChannel): void {
		channel.onMessage.subscribe((message) => {
			if (typeof message !== "string") this.#onMessage(message);
		});
		channel.stateChanged.subscribe((state) => {
			if (state === "open") this.#flush(channel);
		});
	}

	#flush(channel: RTCDataChannel): void {
		for (const message of this.#waiting.splice(0)) {
			if (message.label === channel.label) channel.send(message.bytes);
			else this.#waiting.push(message);
		}
	}
}
