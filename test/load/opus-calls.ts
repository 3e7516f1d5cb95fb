import { setTimeout as delay } from "node:timers/promises";
import { Encoder } from "@evan/opus";
import { decodeG711 } from "@trunkline/audio";
import { type OutgoingCall, Phone } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import type { EncodedFrame, RemoteAudioTrack, RoomSession } from "../../media-node/src/call/ports.ts";
import { LiveKitRoomConnector } from "../../media-node/src/room/livekit-room-connector.ts";
import { BurstListener, BurstSpeaker, matchBursts, PERIOD_MS } from "./bursts.ts";
import { answered, audioFlows, Caller } from "./pairs.ts";
import type { System } from "./systems.ts";
import { watch, type Window } from "./window.ts";

const RATE = 48_000;
const FRAME_MS = 20;
const FRAME = (RATE * FRAME_MS) / 1_000;
const CALL_EVERY_MS = 20;
const LAST_BURST_MS = 500;
const ANSWER_WITHIN_MS = 15_000;
/** as a browser's encoder is set for voices */
const BITRATE = 32_000;

export interface OpusCallsResult {
	calls: number;
	window: Window;
	/** ms */
	toParticipant: number[];
	toTelephone: number[];
	missedBursts: number;
}

/**
 * Telephones, each with a participant of its own who speaks Opus and hears what the telephone says. Participants send packets that were encoded beforehand:
 * forty clients that encode would leave the measured process no core.
 */
export async function measureOpusCalls(system: System, numbers: readonly string[], calls: number, ms: number): Promise<OpusCallsResult> {
	const speech = opusBursts();
	const participants: LightParticipant[] = [];
	const phone = await Phone.open({ record: false });
	try {
		const one = async (index: number): Promise<Caller> =>
			new Caller(await dial(system, phone, numbers[index] ?? "", index), (index * PERIOD_MS) / calls);
		let callers: Caller[] = [];
		for (let index = 0; index < calls; index++) {
			participants.push(await LightParticipant.join(system, `bench-${index}`, speech, (index * PERIOD_MS) / calls));
			callers.push(await one(index));
			await delay(CALL_EVERY_MS);
		}
		callers = await Promise.all(callers.map((caller, index) => answered(caller, () => one(index))));
		await audioFlows([...callers, ...participants]);
		const window = await watch(system, ms);
		await delay(LAST_BURST_MS);
		const up = callers.map(({ speaker }, i) => match(speaker, participants[i]?.listener, window));
		const down = participants.map((participant, i) => match(participant, callers[i]?.listener, window));
		return {
			...{ calls, window },
			toParticipant: up.flatMap(({ delays }) => delays),
			toTelephone: down.flatMap(({ delays }) => delays),
			missedBursts: [...up, ...down].reduce((sum, { missed }) => sum + missed, 0),
		};
	} finally {
		await phone.close();
		await Promise.all(participants.map((participant) => participant.leave()));
	}
}

const match = ({ sentAt }: { sentAt: readonly number[] }, listener: BurstListener | undefined, window: Window) =>
	matchBursts(sentAt, listener?.heardAt ?? [], window.from, window.until);

function dial(system: System, phone: Phone, number: string, index: number): Promise<OutgoingCall> {
	return phone.call(`sip:${number}@127.0.0.1:${system.sipPort}`, {
		from: `+1444${String(1_000_000 + index)}`,
		codecs: ["PCMU"],
		timeoutMs: ANSWER_WITHIN_MS,
	});
}

/** One period of bursts. Without DTX: the silence between costs what speech costs. */
function opusBursts(): Uint8Array[] {
	const encoder = new Encoder({ channels: 1, sample_rate: RATE, application: "voip" });
	encoder.bitrate = BITRATE;
	const speaker = new BurstSpeaker(RATE, FRAME_MS, 0);
	const frames = Array.from({ length: PERIOD_MS / FRAME_MS }, () => {
		const frame = new Int16Array(FRAME);
		speaker.fill(frame, 0);
		// noise that no codec takes for silence, and no listener for a tone
		for (let i = 0; i < frame.length; i++) frame[i] = (frame[i] ?? 0) + Math.round(Math.sin(i * i) * 300);
		return frame;
	});
	// Once before, so that the encoder is where it will be at each repetition.
	for (const frame of frames) encoder.encode(frame);
	return frames.map((frame) => encoder.encode(frame).slice());
}

/** A participant without a codec of its own. */
class LightParticipant {
	readonly listener = new BurstListener();
	/** when each burst's first packet was sent, ms */
	readonly sentAt: number[] = [];
	readonly #pcm = new Int16Array(1_500);
	readonly #speech: readonly Uint8Array[];
	#session: RoomSession | undefined;
	#timer: NodeJS.Timeout | undefined;

	static async join(system: System, room: string, speech: readonly Uint8Array[], startMs: number): Promise<LightParticipant> {
		const token = new AccessToken(system.rooms.apiKey, system.rooms.apiSecret, { identity: "agent", ttl: 600 });
		token.addGrant({ roomJoin: true, room, canPublish: true, canSubscribe: true });
		const participant = new LightParticipant(speech);
		participant.#session = await new LiveKitRoomConnector().join({
			url: system.rooms.url,
			token: await token.toJwt(),
			publishCodecs: ["opus"],
			trackName: "microphone",
			onEvent: (event) => {
				if (event.type === "track-subscribed") participant.#listen(event.track);
			},
		});
		participant.#speak(participant.#session, startMs);
		return participant;
	}

	private constructor(speech: readonly Uint8Array[]) {
		this.#speech = speech;
	}

	async leave(): Promise<void> {
		clearTimeout(this.#timer);
		await this.#session?.close();
	}

	#listen(track: RemoteAudioTrack): void {
		track.onFrame(({ codec, payload }) => {
			if (codec === "opus") return;
			const pcm = this.#pcm.subarray(0, payload.length);
			decodeG711(codec, payload, pcm);
			this.listener.hear(pcm, performance.now());
		});
	}

	/** On an absolute schedule. */
	#speak({ uplink }: RoomSession, startMs: number): void {
		const frame: EncodedFrame = { codec: "opus", payload: new Uint8Array(0), timestamp: 0, sequence: 0, marker: true };
		let next = performance.now() + startMs;
		let count = 0;
		const send = (): void => {
			const now = performance.now();
			for (; next <= now; next += FRAME_MS) {
				const position = count % this.#speech.length;
				if (position === 0) this.sentAt.push(now);
				frame.payload = this.#speech[position] ?? new Uint8Array(0);
				frame.timestamp = (count * FRAME) >>> 0;
				frame.sequence = count & 0xffff;
				frame.marker = count === 0;
				uplink.write(frame, 20);
				count += 1;
			}
			this.#timer = setTimeout(send, Math.max(0, next - performance.now()));
		};
		send();
	}
}
