import type { Clock, JoinOptions, MediaSession, RemoteAudioTrack, RoomConnector, RoomEvent, RoomSession } from "./ports.ts";

export interface RoomLinkOptions {
	clock: Clock;
	/** of what the media session does not need; nothing comes after `leave` */
	onEvent(event: RoomEvent): void;
	onProblem(error: unknown, message: string): void;
}

/**
 * A room that a call is in, or is about to join: its tracks, what others are told of the participant, and how it is left. A call may have two for a moment,
 * when it goes from one room to another.
 */
export class RoomLink {
	#options: RoomLinkOptions;
	readonly #tracks = new Map<string, RemoteAudioTrack>();
	readonly #muted = new Set<string>();
	readonly #joining = new AbortController();
	#session: RoomSession | undefined;
	/** set while the telephone hears the room */
	#media: MediaSession | undefined;
	#left = false;
	#attributes: Promise<void> = Promise.resolve();
	#leaving: Promise<void> = Promise.resolve();

	constructor(options: RoomLinkOptions) {
		this.#options = options;
	}

	get session(): RoomSession | undefined {
		return this.#session;
	}

	/** It was left, or is not to be joined any more. */
	get left(): boolean {
		return this.#left;
	}

	/** Joins; gives the session, or undefined when it was left meanwhile. Rejects as the connector does. */
	async join(connector: RoomConnector, options: Omit<JoinOptions, "onEvent">): Promise<RoomSession | undefined> {
		if (this.#left) return undefined;
		const session = await connector.join({ ...options, onEvent: (event) => this.#onEvent(event) }, this.#joining.signal);
		if (this.#left) {
			await session.close();
			return undefined;
		}
		this.#session = session;
		return session;
	}

	/** From now on it is another call's: what happens in the room is told there. */
	giveTo(options: RoomLinkOptions): void {
		this.#options = options;
	}

	/** From now on the telephone is heard in the room, and the room on the telephone. Before this nobody is heard. */
	bridge(media: MediaSession): void {
		const session = this.#session;
		if (session === undefined) throw new Error("a room that is not joined cannot be bridged");
		this.#media = media;
		media.connect(session.uplink);
		for (const track of this.#tracks.values()) this.#add(media, track);
	}

	/** Before the answer: the telephone is heard in the room, and hears nothing of it. */
	listen(media: MediaSession): void {
		if (this.#session !== undefined) media.listen(this.#session.uplink);
	}

	/** Before the answer: the room is heard on the telephone, and the telephone not in the room. */
	speak(media: MediaSession): void {
		this.#media = media;
		media.speak();
		for (const track of this.#tracks.values()) this.#add(media, track);
	}

	/** The telephone does not hear this room any more. Its voice still goes here until another room is bridged. */
	unbridge(): void {
		const media = this.#media;
		this.#media = undefined;
		if (media !== undefined) for (const trackSid of this.#tracks.keys()) media.removeTrack(trackSid);
	}

	/** In order; what fails is told to `onProblem`. */
	setAttributes(attributes: Record<string, string>): void {
		const session = this.#session;
		if (session === undefined || this.#left) return;
		this.#attributes = this.#attributes
			.then(() => session.setAttributes(attributes))
			.catch((error: unknown) => this.#options.onProblem(error, "participant attributes could not be set"));
	}

	/** Idempotent. `gone` resolves when it is done. */
	leave(): void {
		if (this.#left) return;
		this.#left = true;
		this.#joining.abort();
		const session = this.#session;
		if (session === undefined) return;
		// `sip.callStatus: hangup` should be seen before the participant goes; a server that does not answer must not hold it up.
		this.#leaving = within(this.#options.clock, HANGUP_SEEN_MS, this.#attributes)
			.then(() => session.close())
			.catch((error: unknown) => this.#options.onProblem(error, "leaving the room failed"));
	}

	get gone(): Promise<void> {
		return this.#leaving;
	}

	#onEvent(event: RoomEvent): void {
		if (this.#left) return;
		switch (event.type) {
			case "track-subscribed":
				this.#tracks.set(event.track.trackSid, event.track);
				if (this.#media !== undefined) this.#add(this.#media, event.track);
				break;
			case "track-unsubscribed":
				this.#tracks.delete(event.trackSid);
				this.#muted.delete(event.trackSid);
				this.#media?.removeTrack(event.trackSid);
				break;
			case "track-muted":
				if (event.muted) this.#muted.add(event.trackSid);
				else this.#muted.delete(event.trackSid);
				this.#media?.muteTrack(event.trackSid, event.muted);
				break;
			default:
		}
		this.#options.onEvent(event);
	}

	#add(media: MediaSession, track: RemoteAudioTrack): void {
		media.addTrack(track);
		if (this.#muted.has(track.trackSid)) media.muteTrack(track.trackSid, true);
	}
}

/** Resolves when `work` does, or after that time. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
	let cancel = (): void => {};
	const late = new Promise<void>((resolve) => {
		cancel = clock.wakeAt(clock.now() + ms, resolve);
	});
	await Promise.race([work, late]);
	cancel();
}

const HANGUP_SEEN_MS = 300;
