/** The same speech through a system that runs, in real time: a participant speaks over the bad network, a telephone hears. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { decodeG711 } from "@trunkline/audio";
import { Phone } from "@trunkline/phone";
import { AccessToken, SipClient } from "livekit-server-sdk";
import type { EncodedFrame } from "../../../media-node/src/call/ports.ts";
import { LiveKitRoomConnector } from "../../../media-node/src/room/livekit-room-connector.ts";
import { lagMs } from "./lag.ts";
import { arrivals, type Condition } from "./impairment.ts";
import type { Heard } from "./paths.ts";

export interface OtherSystem {
	/** host:port of its SIP side */
	sip: string;
	/** of the LiveKit server whose API has its trunks */
	url: string;
	apiKey: string;
	apiSecret: string;
}

const FRAME_MS = 20;
const FRAME_TICKS = 960;
const RATE = 8_000;
/** of silence first: buffers are where they will be */
const LEAD_IN_MS = 3_000;
const TAIL_MS = 1_000;
const ANSWER_WITHIN_MS = 20_000;
/** DTX of a participant's encoder: nothing is said */
const NOTHING_SAID = Uint8Array.of(0xf8, 0xff, 0xfe);

/** One number and one room for each clip, for all conditions; `remove` takes them away again. */
export class Against {
	readonly #system: OtherSystem;
	readonly #sip: SipClient;
	readonly #run = randomUUID().slice(0, 8);
	readonly #made: { trunk: string; rule: string }[] = [];

	constructor(system: OtherSystem) {
		this.#system = system;
		this.#sip = new SipClient(system.url.replace(/^ws/, "http"), system.apiKey, system.apiSecret);
	}

	async prepare(clips: number): Promise<void> {
		for (let clip = 0; clip < clips; clip++) {
			const trunk = await this.#sip.createSipInboundTrunk(`quality ${this.#run}`, [numberOf(clip)]);
			const rule = await this.#sip.createSipDispatchRule(
				{ type: "direct", roomName: this.#roomOf(clip), pin: "" },
				{ name: `quality ${this.#run}`, trunkIds: [trunk.sipTrunkId] },
			);
			this.#made.push({ trunk: trunk.sipTrunkId, rule: rule.sipDispatchRuleId });
		}
	}

	async remove(): Promise<void> {
		for (const { trunk, rule } of this.#made.splice(0)) {
			await this.#sip.deleteSipDispatchRule(rule);
			await this.#sip.deleteSipTrunk(trunk);
		}
	}

	/** What a µ-law telephone hears of a participant who sends these packets over that network. Takes as long as they do. */
	async roomToTelephone(
		clip: number,
		speech: Int16Array,
		packets: readonly Uint8Array[],
		condition: Condition,
		seed: number,
	): Promise<Heard> {
		const { url, apiKey, apiSecret, sip } = this.#system;
		const token = new AccessToken(apiKey, apiSecret, { identity: "speaker", ttl: 600 });
		token.addGrant({ roomJoin: true, room: this.#roomOf(clip), canPublish: true, canSubscribe: true });
		const room = await new LiveKitRoomConnector().join({
			...{ url: url.replace(/^http/, "ws"), token: await token.toJwt(), publishCodecs: ["opus"], trackName: "speech", onEvent: () => {} },
		});
		const phone = await Phone.open({ record: false });
		try {
			const call = await phone.call(`sip:${numberOf(clip)}@${sip}`, {
				from: "+14440000000",
				codecs: ["PCMU"],
				timeoutMs: ANSWER_WITHIN_MS,
			});
			const line = new TimeLine(speech.length + (TAIL_MS * RATE) / 1_000);
			call.onRtp(({ payload, timestamp }, at) => line.hear(payload, timestamp, at));
			const send = (frame: EncodedFrame): void => room.uplink.write(frame, 20);
			const speaker = new PacketSpeaker(send);
			await Promise.all([call.answered(), speaker.silence(LEAD_IN_MS)]);
			await speaker.silence(LEAD_IN_MS);
			line.begin(performance.now());
			await speaker.speak(packets, condition, seed);
			await delay(TAIL_MS);
			return { pcm: line.pcm, delays: [lagMs(speech, line.pcm)], concealed: Number.NaN };
		} finally {
			await phone.close();
			await room.close();
		}
	}

	#roomOf(clip: number): string {
		return `quality-${this.#run}-${clip}`;
	}
}

const numberOf = (clip: number): string => `+1777${String(1_000_000 + clip)}`;

/** Sends packets at the times at which the network lets them through. */
class PacketSpeaker {
	readonly #send: (frame: EncodedFrame) => void;
	#sequence = 0;
	#timestamp = 0;

	constructor(send: (frame: EncodedFrame) => void) {
		this.#send = send;
	}

	async silence(ms: number): Promise<void> {
		const count = Math.round(ms / FRAME_MS);
		const clean = { name: "clean", loss: 0, jitterMs: 0, driftPpm: 0 };
		await this.speak(
			Array.from({ length: count }, () => NOTHING_SAID),
			clean,
			1,
		);
	}

	async speak(packets: readonly Uint8Array[], condition: Condition, seed: number): Promise<void> {
		const from = performance.now();
		const { sequence, timestamp } = { sequence: this.#sequence, timestamp: this.#timestamp };
		for (const { index, at } of arrivals(packets.length, FRAME_MS, condition, seed)) {
			const wait = from + at - performance.now();
			if (wait > 0) await delay(wait);
			const payload = packets[index];
			if (payload === undefined) continue;
			this.#send({
				...{ codec: "opus", payload, marker: false },
				...{ sequence: (sequence + index) & 0xffff, timestamp: (timestamp + index * FRAME_TICKS) >>> 0 },
			});
		}
		const rest = from + packets.length * FRAME_MS - performance.now();
		if (rest > 0) await delay(rest);
		this.#sequence += packets.length;
		this.#timestamp += packets.length * FRAME_TICKS;
	}
}

/** What the telephone plays, from the moment on at which the speech begins. */
class TimeLine {
	readonly pcm: Int16Array;
	#latest: { timestamp: number; at: number } | undefined;
	#from: number | undefined;

	constructor(samples: number) {
		this.pcm = new Int16Array(samples);
	}

	hear(payload: Uint8Array, timestamp: number, at: number): void {
		this.#latest = { timestamp, at };
		const start = this.#from === undefined ? -1 : (timestamp - this.#from) | 0;
		if (start >= 0 && start + payload.length <= this.pcm.length) decodeG711("PCMU", payload, this.pcm, start);
	}

	begin(now: number): void {
		const { timestamp, at } = this.#latest ?? { timestamp: 0, at: now };
		this.#from = timestamp + Math.round(((now - at) * RATE) / 1_000);
	}
}
