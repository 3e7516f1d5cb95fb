import { MessageChannel } from "node:worker_threads";
import type { EncodedFrame, AudioUplink, MediaEvent, MediaSession, RemoteAudioTrack } from "../call/ports.ts";
import { FakeMediaSession, FakeRooms } from "../call/fakes.testkit.ts";
import type { StartThread } from "./media-worker.ts";
import { type FromWorker, PortTakenError, type ToWorker } from "./protocol.ts";
import { WorkerSide } from "./worker-side.ts";

/** What a session in a worker was given of the worker's own. */
export class PluggedSession extends FakeMediaSession {
	readonly uplinks: AudioUplink[] = [];
	readonly heard: EncodedFrame[] = [];
	#onClose: () => void;

	constructor(emit: (event: MediaEvent) => void, onClose: () => void) {
		super(emit);
		this.#onClose = onClose;
	}

	override connect(uplink?: AudioUplink): void {
		super.connect();
		if (uplink !== undefined) this.uplinks.push(uplink);
	}

	override addTrack(track: RemoteAudioTrack): void {
		super.addTrack(track);
		track.onFrame((frame) => this.heard.push(frame));
	}

	override close(): void {
		super.close();
		this.#onClose();
	}
}

/** A worker in this thread: its messages are cloned as those of a thread are, and come later. */
export class FakeThread {
	readonly name: string;
	readonly sessions: PluggedSession[] = [];
	readonly rooms = new FakeRooms();
	/** ports that another program has */
	readonly taken = new Set<number>();
	/** ports of the sessions, in the order in which they were opened */
	readonly ports: number[] = [];
	readonly start: StartThread;
	side: WorkerSide | undefined;
	terminated = false;
	#channel: MessageChannel | undefined;
	#onGone: ((why: string) => void) | undefined;

	constructor(name: string, isReady = true) {
		this.name = name;
		this.start = ({ onMessage, onGone }) => {
			const channel = new MessageChannel();
			this.#channel = channel;
			this.#onGone = onGone;
			const side = new WorkerSide({
				post: (message) => this.say(message),
				open: async (port, _family, onEvent, onClose): Promise<MediaSession> => {
					if (this.taken.has(port)) throw new PortTakenError("EADDRINUSE");
					const session = new PluggedSession(onEvent, onClose);
					this.sessions.push(session);
					this.ports.push(port);
					return session;
				},
				rooms: this.rooms,
			});
			this.side = side;
			channel.port1.on("message", (message: FromWorker) => onMessage(message));
			channel.port2.on("message", (message: ToWorker) => {
				if (message.to === "close") void side.close().then(() => this.die("closed"));
				else side.receive(message);
			});
			if (isReady) this.say({ from: "ready" });
			return {
				post: (message) => channel.port1.postMessage(message),
				terminate: () => {
					this.terminated = true;
					this.die("terminated");
				},
			};
		};
	}

	/** As the thread itself would. */
	say(message: FromWorker): void {
		this.#channel?.port2.postMessage(message);
	}

	die(why: string): void {
		this.#channel?.port1.close();
		this.#channel = undefined;
		this.#onGone?.(why);
	}
}
