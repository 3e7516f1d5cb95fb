import type { NoiseSuppression } from "@trunkline/contracts";
import type {
	AudioUplink,
	HoldMusic,
	MediaEvent,
	MediaSession,
	MediaStats,
	NegotiatedAudio,
	ProgressToneName,
	PromptName,
	RemoteAudioTrack,
} from "../call/ports.ts";
import type { Asked, OpenedSession, Played, SessionCall, Told } from "./protocol.ts";
import { placeOf } from "./room-handle.ts";
import type { WorkerLine } from "./worker-line.ts";

/** A media session that lives in a worker. */
export class SessionHandle implements MediaSession {
	localAddress = "";
	localPort = 0;
	dtlsFingerprint: string | undefined;
	readonly #worker: WorkerLine;
	readonly #session: number;
	readonly #onEvent: (event: MediaEvent) => void;
	readonly #onClosed: () => void;
	/** by us, or with the worker: nothing more is said to it */
	#isClosed = false;
	#isPortFree = false;
	/** files of recordings that are not complete, and when they began */
	readonly #recording = new Map<string, number>();

	constructor(worker: WorkerLine, session: number, onEvent: (event: MediaEvent) => void, onClosed: () => void) {
		this.#worker = worker;
		this.#session = session;
		this.#onEvent = onEvent;
		this.#onClosed = onClosed;
	}

	opened({ localAddress, localPort, dtlsFingerprint }: OpenedSession): void {
		this.dtlsFingerprint = dtlsFingerprint;
		this.localAddress = localAddress;
		this.localPort = localPort;
	}

	start(negotiated: NegotiatedAudio, signallingAddress: string, anotherPeer?: boolean): void {
		this.#tell({ method: "start", args: [cloneable(negotiated), signallingAddress, anotherPeer] });
	}

	connect(uplink: AudioUplink): void {
		this.#tell({ method: "connect", args: [placeOf(uplink, this.#worker)] });
	}

	listen(uplink: AudioUplink): void {
		this.#tell({ method: "listen", args: [placeOf(uplink, this.#worker)] });
	}

	speak(): void {
		this.#tell({ method: "speak", args: [] });
	}

	addTrack(track: RemoteAudioTrack): void {
		this.#tell({ method: "addTrack", args: [placeOf(track, this.#worker)] });
	}

	removeTrack(trackSid: string): void {
		this.#tell({ method: "removeTrack", args: [trackSid] });
	}

	muteTrack(trackSid: string, muted: boolean): void {
		this.#tell({ method: "muteTrack", args: [trackSid, muted] });
	}

	async sendDigits(digits: string): Promise<void> {
		// A worker that goes takes the session with it: the digits are over, too.
		await this.#ask({ method: "sendDigits", args: [digits] }).catch(() => undefined);
	}

	ringPhone(country?: string): () => void {
		return this.#play({ method: "ringPhone", args: [country] });
	}

	holdPhone(music: HoldMusic): () => void {
		return this.#play({ method: "holdPhone", args: [music] });
	}

	setNoiseSuppression(wanted: NoiseSuppression): void {
		this.#tell({ method: "setNoiseSuppression", args: [wanted] });
	}

	async playPrompts(names: readonly PromptName[], language: string): Promise<void> {
		await this.#ask({ method: "playPrompts", args: [names, language] }).catch(() => undefined);
	}

	stopPrompts(): void {
		this.#tell({ method: "stopPrompts", args: [] });
	}

	record(file: string, notice: boolean): void {
		if (!this.#isClosed) this.#recording.set(file, performance.now());
		this.#tell({ method: "record", args: [file, notice] });
	}

	stopRecording(): void {
		this.#tell({ method: "stopRecording", args: [] });
	}

	playRingback(uplink: AudioUplink, country?: string, tone?: ProgressToneName): () => void {
		return this.#play({ method: "playRingback", args: [placeOf(uplink, this.#worker), country, tone] });
	}

	awaitProof(): void {
		this.#tell({ method: "awaitProof", args: [] });
	}

	proven(): void {
		this.#tell({ method: "proven", args: [] });
	}

	watch(firstPacketMs: number, laterMs: number): void {
		this.#tell({ method: "watch", args: [firstPacketMs, laterMs] });
	}

	stats(): Promise<MediaStats> {
		return this.#ask<MediaStats>({ method: "stats", args: [] });
	}

	close(): void {
		this.#tell({ method: "close", args: [] });
		this.#isClosed = true;
	}

	/** Its worker said so. */
	tell(event: MediaEvent): void {
		if (event.type === "recorded") this.#recording.delete(event.file);
		this.#onEvent(event);
	}

	/** The socket is closed. */
	closed(): void {
		if (this.#isPortFree) return;
		this.#isPortFree = true;
		this.#onClosed();
	}

	/** The worker has gone. */
	lost(message: string): void {
		const wasOpen = !this.#isClosed && this.localPort !== 0;
		this.#isClosed = true;
		this.closed();
		// What is written can be played, and nobody writes there any more.
		const now = performance.now();
		for (const [file, since] of this.#recording)
			this.#onEvent({ type: "recorded", file, durationMs: Math.round(now - since), bytes: 0, problem: message });
		this.#recording.clear();
		if (wasOpen) this.#onEvent({ type: "media-lost", message });
	}

	#tell(call: SessionCall<Told>): void {
		if (!this.#isClosed) this.#worker.post({ to: "tell", session: this.#session, call });
	}

	#ask<T>(call: SessionCall<Asked>): Promise<T> {
		if (this.#isClosed) return Promise.reject(new Error(`the media session is closed, or its ${this.#worker.name} has stopped`));
		return this.#worker.ask((request) => ({ to: "ask", request, session: this.#session, call }));
	}

	#play(call: SessionCall<Played>): () => void {
		const playing = this.#worker.number();
		if (!this.#isClosed) this.#worker.post({ to: "play", session: this.#session, playing, call });
		return () => {
			if (!this.#isClosed) this.#worker.post({ to: "stop", session: this.#session, playing });
		};
	}
}

/** Keys are views into buffers that hold other secrets, all of which a clone would take along. */
function cloneable(negotiated: NegotiatedAudio): NegotiatedAudio {
	const { srtp } = negotiated;
	return srtp === undefined
		? negotiated
		: { ...negotiated, srtp: { ...srtp, send: new Uint8Array(srtp.send), receive: new Uint8Array(srtp.receive) } };
}
