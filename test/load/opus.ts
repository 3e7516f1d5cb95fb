import { setTimeout as delay } from "node:timers/promises";
import { decodeG711 } from "@trunkline/audio";
import { Phone } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import { BurstListener, BurstSpeaker, matchBursts } from "./bursts.ts";
import type { Rooms, System } from "./systems.ts";
import { watch, type Window } from "./window.ts";

const RATE = 48_000;
const FRAME_MS = 10;
const FRAME = (RATE * FRAME_MS) / 1000;
const AUDIO_WITHIN_MS = 10_000;
const LAST_BURST_MS = 500;
/** rtc-node's buffers settle by then */
const SETTLE_MS = 2_000;

export interface OpusResult {
	window: Window;
	/** ms */
	toParticipant: number[];
	toTelephone: number[];
	missedBursts: number;
	setUpMs: number;
}

/** One telephone and one participant that speaks Opus, unmodified client; `number` leads to `roomName`. */
export async function measureOpus(system: System, number: string, roomName: string, ms: number): Promise<OpusResult> {
	const participant = await Participant.join(system.rooms, roomName);
	const phone = await Phone.open({ record: false });
	try {
		const call = await phone.call(`sip:${number}@127.0.0.1:${system.sipPort}`, { from: "+14441999999", codecs: ["PCMU"] });
		const speaker = new BurstSpeaker(8_000, 20, 0);
		const listener = new BurstListener();
		const pcm = new Int16Array(1_500);
		call.setSource((frame) => {
			speaker.fill(frame, performance.now());
			return true;
		});
		call.onRtp(({ payload }, arrivalMs) => {
			const heard = pcm.subarray(0, payload.length);
			decodeG711("PCMU", payload, heard);
			listener.hear(heard, arrivalMs);
		});
		await call.answered();
		const deadline = performance.now() + AUDIO_WITHIN_MS;
		while (listener.heardAt.length === 0 || participant.listener.heardAt.length === 0) {
			if (performance.now() > deadline) throw new Error("telephone and participant do not hear each other");
			await delay(20);
		}
		await delay(SETTLE_MS);
		const window = await watch(system, ms);
		await delay(LAST_BURST_MS);
		const up = matchBursts(speaker.sentAt, participant.listener.heardAt, window.from, window.until);
		const down = matchBursts(participant.speaker.sentAt, listener.heardAt, window.from, window.until);
		return {
			window,
			toParticipant: up.delays,
			toTelephone: down.delays,
			missedBursts: up.missed + down.missed,
			setUpMs: (call.timing.answeredAt ?? Number.NaN) - call.timing.startedAt,
		};
	} finally {
		await phone.close();
		await participant.leave();
	}
}

/** Loaded only when asked for: the native library starts threads of its own. */
const rtc = () => import("@livekit/rtc-node");
type Rtc = Awaited<ReturnType<typeof rtc>>;

class Participant {
	readonly speaker = new BurstSpeaker(RATE, FRAME_MS, 250);
	readonly listener = new BurstListener();
	readonly #rtc: Rtc;
	readonly #room: InstanceType<Rtc["Room"]>;
	readonly #source: InstanceType<Rtc["AudioSource"]>;
	#speaking: Promise<void> = Promise.resolve();
	#silent = false;

	static async join(rooms: Rooms, roomName: string): Promise<Participant> {
		const token = new AccessToken(rooms.apiKey, rooms.apiSecret, { identity: "agent", ttl: 600 });
		token.addGrant({ roomJoin: true, room: roomName, canPublish: true, canSubscribe: true });
		const participant = new Participant(await rtc());
		await participant.#join(rooms.url, await token.toJwt());
		return participant;
	}

	private constructor(library: Rtc) {
		this.#rtc = library;
		this.#room = new library.Room();
		// No queue: a frame goes to the encoder when it is captured, as a microphone's does.
		this.#source = new library.AudioSource(RATE, 1, 0);
	}

	async leave(): Promise<void> {
		this.#silent = true;
		await this.#speaking;
		await this.#source.close();
		await this.#room.disconnect();
		await this.#rtc.dispose();
	}

	async #join(url: string, token: string): Promise<void> {
		const { LocalAudioTrack, RoomEvent, TrackKind, TrackPublishOptions, TrackSource } = this.#rtc;
		this.#room.on(RoomEvent.TrackSubscribed, (track) => {
			if (track.kind === TrackKind.KIND_AUDIO) void this.#listen(track);
		});
		await this.#room.connect(url, token, { autoSubscribe: true, dynacast: false });
		const options = new TrackPublishOptions();
		options.source = TrackSource.SOURCE_MICROPHONE;
		// DTX and RED are made for voices; a tone goes through unshaped.
		options.dtx = false;
		options.red = false;
		await this.#room.localParticipant?.publishTrack(LocalAudioTrack.createAudioTrack("microphone", this.#source), options);
		this.#speaking = this.#speak();
	}

	/** 10 ms frames on an absolute schedule. */
	async #speak(): Promise<void> {
		let next = performance.now();
		while (!this.#silent) {
			const data = new Int16Array(FRAME);
			this.speaker.fill(data, performance.now());
			await this.#source.captureFrame(new this.#rtc.AudioFrame(data, RATE, 1, FRAME));
			next += FRAME_MS;
			await delay(Math.max(0, next - performance.now()));
		}
	}

	async #listen(track: ConstructorParameters<Rtc["AudioStream"]>[0]): Promise<void> {
		const reader = new this.#rtc.AudioStream(track, RATE, 1).getReader();
		for (let next = await reader.read(); !next.done; next = await reader.read()) this.listener.hear(next.value.data, performance.now());
	}
}
