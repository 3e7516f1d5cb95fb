import {
	AudioFrame,
	AudioSource,
	AudioStream,
	dispose,
	LocalAudioTrack,
	type RemoteParticipant,
	type RemoteTrack,
	Room,
	RoomEvent,
	TrackKind,
	TrackPublishOptions,
	TrackSource,
} from "@livekit/rtc-node";
import { ToneGenerator } from "@trunkline/audio";
import { AccessToken } from "livekit-server-sdk";

const RATE = 48_000;
const FRAME = RATE / 100;

export interface Access {
	url: string;
	apiKey: string;
	apiSecret: string;
}

/** The far side of a call: an unmodified `@livekit/rtc-node` participant that publishes Opus and records what it hears. */
export class Participant {
	readonly room: Room;
	readonly identity: string;
	readonly digits: { digit: string; from: string }[] = [];
	/** changes of other participants' attributes, in order */
	readonly attributeChanges: { identity: string; changed: Record<string, string> }[] = [];
	/** participants that left, in order */
	readonly left: string[] = [];
	readonly #recordings = new Map<string, number[]>();
	readonly #streams = new Set<ReadableStreamDefaultReader<AudioFrame>>();
	#source: AudioSource | undefined;
	#speaking: Promise<void> = Promise.resolve();
	#silent = false;

	static async join(access: Access, roomName: string, identity: string, kind?: "ingress"): Promise<Participant> {
		const token = new AccessToken(access.apiKey, access.apiSecret, { identity, ttl: 600 });
		if (kind !== undefined) token.kind = kind;
		token.addGrant({ roomJoin: true, room: roomName, canPublish: true, canSubscribe: true, canPublishData: true });
		const participant = new Participant(identity);
		await participant.room.connect(access.url.replace(/^http/, "ws"), await token.toJwt(), { autoSubscribe: true, dynacast: false });
		return participant;
	}

	private constructor(identity: string) {
		this.identity = identity;
		this.room = new Room();
		this.room.on(RoomEvent.TrackSubscribed, (track: RemoteTrack, _publication, remote: RemoteParticipant) => {
			if (track.kind === TrackKind.KIND_AUDIO) void this.#record(track, remote.identity);
		});
		this.room.on(RoomEvent.DtmfReceived, (_code: number, digit: string, remote: RemoteParticipant | undefined) => {
			this.digits.push({ digit, from: remote?.identity ?? "" });
		});
		this.room.on(RoomEvent.ParticipantAttributesChanged, (changed: Record<string, string>, remote: { identity: string }) => {
			this.attributeChanges.push({ identity: remote.identity, changed });
		});
		this.room.on(RoomEvent.ParticipantDisconnected, (remote: RemoteParticipant) => {
			this.left.push(remote.identity);
		});
	}

	/** Publishes a steady tone, as a microphone would: 10 ms frames in real time. */
	async speak(hz: number, levelDbov = -20): Promise<void> {
		const source = new AudioSource(RATE, 1, 200);
		this.#source = source;
		const track = LocalAudioTrack.createAudioTrack("microphone", source);
		const options = new TrackPublishOptions();
		options.source = TrackSource.SOURCE_MICROPHONE;
		// DTX and RED are made for voices; a tone goes through unshaped.
		options.dtx = false;
		options.red = false;
		await this.room.localParticipant?.publishTrack(track, options);
		this.#speaking = this.#feed(source, new ToneGenerator(RATE, [hz], levelDbov));
	}

	/** What was heard of somebody so far, 48 kHz; empties the recording. */
	take(identity: string): Int16Array {
		const samples = Int16Array.from(this.#recordings.get(identity) ?? []);
		this.#recordings.set(identity, []);
		return samples;
	}

	heardFrom(): string[] {
		return [...this.#recordings].filter(([, samples]) => samples.length > 0).map(([identity]) => identity);
	}

	async sendDigit(code: number, digit: string): Promise<void> {
		await this.room.localParticipant?.publishDtmf(code, digit);
	}

	async leave(): Promise<void> {
		this.#silent = true;
		await this.#speaking;
		for (const reader of this.#streams) await reader.cancel().catch(() => {});
		await this.#source?.close();
		await this.room.disconnect();
	}

	async #feed(source: AudioSource, tone: ToneGenerator): Promise<void> {
		while (!this.#silent) {
			const data = tone.fill(new Int16Array(FRAME));
			try {
				await source.captureFrame(new AudioFrame(data, RATE, 1, FRAME));
			} catch {
				return;
			}
		}
	}

	async #record(track: RemoteTrack, identity: string): Promise<void> {
		let reader: ReadableStreamDefaultReader<AudioFrame>;
		try {
			reader = new AudioStream(track, RATE, 1).getReader();
		} catch {
			return; // the track had gone again before its event came here
		}
		this.#streams.add(reader);
		this.#recordings.set(identity, this.#recordings.get(identity) ?? []);
		try {
			for (let next = await reader.read(); !next.done; next = await reader.read()) this.#recordings.get(identity)?.push(...next.value.data);
		} catch {
			// rtc-node's stream breaks off with an error when the track goes away while it is being read
		} finally {
			this.#streams.delete(reader);
		}
	}
}

/** Frees the native library; after the last test of a file. */
export const disposeParticipants = (): Promise<void> => dispose();
