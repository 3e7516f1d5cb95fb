import {
	type AudioUplink,
	type EncodedFrame,
	type JoinOptions,
	type RemoteAudioTrack,
	type RoomConnector,
	type RoomEvent,
	RoomJoinError,
	type RoomSession,
} from "./ports.ts";

/**
 * Two telephone legs joined in place: each is the other's room (a back-to-back user agent, RFC 3261 §6). What one says the other hears, packet by packet as
 * it came where both have the same codec; digits go through; when one goes, the other is told.
 */
export class BackToBack {
	readonly first: RoomConnector;
	readonly second: RoomConnector;

	constructor() {
		const first = new Side("TR_first");
		const second = new Side("TR_second");
		first.other = second;
		second.other = first;
		this.first = first;
		this.second = second;
	}
}

class Side implements RoomConnector, RoomSession {
	readonly participantSid = "";
	readonly roomSid = "";
	readonly uplink: AudioUplink = { codec: "PCMU", takesG711: true, write: (frame) => this.other.#hear(frame) };
	other: Side = this;
	readonly #trackSid: string;
	#onEvent: ((event: RoomEvent) => void) | undefined;
	#onFrame: ((frame: EncodedFrame) => void) | undefined;
	#closed = false;

	/** `trackSid` names what is heard here of the other. */
	constructor(trackSid: string) {
		this.#trackSid = trackSid;
	}

	async join({ onEvent }: JoinOptions): Promise<RoomSession> {
		if (this.#closed) throw new RoomJoinError("refused", "the other telephone has gone", { closeReason: "other-leg" });
		this.#onEvent = onEvent;
		onEvent({ type: "track-subscribed", track: this.#track() });
		return this;
	}

	participants(): readonly [] {
		return [];
	}

	attributes(): Readonly<Record<string, string>> {
		return {};
	}

	/** There is nobody to see them. */
	async setAttributes(): Promise<void> {}

	sendDtmf(_code: number, digit: string): void {
		this.other.#tell({ type: "dtmf", digits: digit, participantIdentity: "" });
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		this.other.#end();
	}

	#track(): RemoteAudioTrack {
		return {
			trackSid: this.#trackSid,
			participantIdentity: "",
			onFrame: (listener) => {
				this.#onFrame = listener;
			},
		};
	}

	#hear(frame: EncodedFrame): void {
		if (!this.#closed) this.#onFrame?.(frame);
	}

	#tell(event: RoomEvent): void {
		if (!this.#closed) this.#onEvent?.(event);
	}

	#end(): void {
		this.#tell({ type: "closed", reason: "other-leg", message: "the other telephone has gone" });
		this.#closed = true;
	}
}
