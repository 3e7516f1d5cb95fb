import { setTimeout as delay } from "node:timers/promises";
import { decodeG711 } from "@trunkline/audio";
import { type OutgoingCall, Phone, type PhoneSrtp } from "@trunkline/phone";
import type { CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { BurstListener, BurstSpeaker, matchBursts, PERIOD_MS } from "./bursts.ts";
import { openSockets } from "./processes.ts";
import { type Held, heldOf } from "./soak/growth.ts";
import type { System } from "./systems.ts";
import { watch, type Window } from "./window.ts";

/** A pair is set up every so often: 50 calls per second. */
const PAIR_EVERY_MS = 40;
const ANSWER_WITHIN_MS = 15_000;
const AUDIO_WITHIN_MS = 10_000;
/** What was said last is heard by then. */
const LAST_BURST_MS = 500;
const FRAME_MS = 20;
const TRIES = 8;
const TRY_AGAIN_MS = 1_000;
/** The API takes 200 requests of a key at once and 100 a second: two for each pair. */
const UNPACED_PAIRS = 90;
const PAIR_PROVISIONED_EVERY_MS = 25;
/** of SIPMediaEncryption */
export const ENCRYPTION_ALLOWED = 1;

export interface PairsResult {
	calls: number;
	encrypted: boolean;
	window: Window;
	/** after a garbage collection, with these calls */
	held: Held;
	/** ms */
	delays: number[];
	missedBursts: number;
	packetsLost: number;
	packetsReceived: number;
	/** INVITE → 200, ms */
	setUps: number[];
}

/** One telephone of a pair. */
export class Caller {
	readonly call: OutgoingCall;
	readonly speaker: BurstSpeaker;
	readonly listener = new BurstListener();
	readonly #pcm = new Int16Array(1_500);

	constructor(call: OutgoingCall, startMs: number) {
		this.call = call;
		this.speaker = new BurstSpeaker(8_000, FRAME_MS, startMs);
		call.setSource((frame) => {
			this.speaker.fill(frame, performance.now());
			return true;
		});
		call.onRtp((packet, arrivalMs) => {
			const pcm = this.#pcm.subarray(0, packet.payload.length);
			decodeG711("PCMU", packet.payload, pcm);
			this.listener.hear(pcm, arrivalMs);
		});
	}
}

/** A trunk, a rule and a room for each pair, to be used by any number of runs; gives the numbers to dial. */
export async function provisionPairs(system: System, pairs: number, options: CreateSipInboundTrunkOptions = {}): Promise<string[]> {
	const numbers: string[] = [];
	for (let pair = 0; pair < pairs; pair++) {
		const number = `+1555${String(1_000_000 + pair)}`;
		const trunk = await system.sip.createSipInboundTrunk(`bench ${pair}`, [number], options);
		await system.sip.createSipDispatchRule(
			{ type: "direct", roomName: `bench-${pair}`, pin: "" },
			{ name: `bench ${pair}`, trunkIds: [trunk.sipTrunkId] },
		);
		numbers.push(number);
		if (pair >= UNPACED_PAIRS) await delay(PAIR_PROVISIONED_EVERY_MS);
	}
	return numbers;
}

/** `calls` telephones, two in each room, speak bursts to each other for `ms`. */
export async function measurePairs(
	system: System,
	numbers: readonly string[],
	calls: number,
	ms: number,
	{ srtp, profileHeap = false }: { srtp?: PhoneSrtp; profileHeap?: boolean } = {},
): Promise<PairsResult> {
	const phone = await Phone.open({ record: false });
	try {
		const callers = await dialPairs(system, phone, numbers, calls, srtp);
		await audioFlows(callers);
		const before = callers.map(({ call }) => call.stats());
		const window = await watch(system, ms, profileHeap);
		const after = callers.map(({ call }) => call.stats());
		await delay(LAST_BURST_MS);
		// after the window: the collection would be heard in it
		const held = heldOf(await system.probe("collected"), openSockets(system.program.pid));
		const matched = callers.map(({ speaker }, index) =>
			matchBursts(speaker.sentAt, partnerOf(callers, index).listener.heardAt, window.from, window.until),
		);
		const grown = (field: "packetsLost" | "packetsReceived"): number =>
			callers.reduce((sum, _caller, index) => sum + (after[index]?.[field] ?? 0) - (before[index]?.[field] ?? 0), 0);
		return {
			...{ calls, window, held, encrypted: srtp !== undefined },
			delays: matched.flatMap(({ delays }) => delays),
			missedBursts: matched.reduce((sum, { missed }) => sum + missed, 0),
			packetsLost: grown("packetsLost"),
			packetsReceived: grown("packetsReceived"),
			setUps: callers.map(({ call }) => (call.timing.answeredAt ?? Number.NaN) - call.timing.startedAt),
		};
	} finally {
		await phone.close();
	}
}

async function dialPairs(
	system: System,
	phone: Phone,
	numbers: readonly string[],
	calls: number,
	srtp: PhoneSrtp | undefined,
): Promise<Caller[]> {
	const dial = async (index: number): Promise<Caller> => {
		const call = await phone.call(`sip:${numbers[index >> 1] ?? ""}@127.0.0.1:${system.sipPort}`, {
			from: `+1444${String(1_000_000 + index)}`,
			codecs: ["PCMU"],
			timeoutMs: ANSWER_WITHIN_MS,
			...(srtp && { srtp }),
		});
		return new Caller(call, (index * PERIOD_MS) / calls);
	};
	const callers: Caller[] = [];
	for (let index = 0; index < calls; index++) {
		callers.push(await dial(index));
		// The second of a pair follows at once: the first is answered when there is somebody in the room to hear it.
		if (index % 2 === 1) await delay(PAIR_EVERY_MS);
	}
	return Promise.all(callers.map((caller, index) => answered(caller, () => dial(index))));
}

/** A machine that others use may be too late for a new call just now, and says so: it is tried again. */
export async function answered(caller: Caller, again: () => Promise<Caller>): Promise<Caller> {
	for (let next = caller, tries = 1; ; tries++) {
		try {
			await next.call.answered();
			return next;
		} catch (error) {
			if (tries === TRIES) throw error;
			await delay(TRY_AGAIN_MS);
			next = await again();
		}
	}
}

/** Resolves when everybody has heard the partner. */
export async function audioFlows(callers: readonly { listener: BurstListener }[]): Promise<void> {
	const deadline = performance.now() + AUDIO_WITHIN_MS;
	while (callers.some(({ listener }) => listener.heardAt.length === 0)) {
		if (performance.now() > deadline) {
			const deaf = callers.filter(({ listener }) => listener.heardAt.length === 0).length;
			throw new Error(`${deaf} of ${callers.length} callers hear nothing after ${AUDIO_WITHIN_MS / 1000} s`);
		}
		await delay(20);
	}
}

function partnerOf(callers: readonly Caller[], index: number): Caller {
	const partner = callers[index ^ 1];
	if (partner === undefined) throw new Error("callers come in pairs");
	return partner;
}
