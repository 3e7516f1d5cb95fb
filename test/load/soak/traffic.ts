import { setTimeout as delay } from "node:timers/promises";
import { type CallOptions, type OutgoingCall, Phone } from "@trunkline/phone";
import type { CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { seeded } from "../../quality/network/impairment.ts";
import { ENCRYPTION_ALLOWED, provisionPairs } from "../pairs.ts";
import type { System } from "../systems.ts";

/** ms */
const TALK = { least: 5_000, most: 45_000 };
const PAUSE = { least: 200, most: 3_000 };
/** Faster, and a cold process would be late. */
const RAMP_PER_PAIR_MS = 300;
const ANSWER_WITHIN_MS = 15_000;
/** So often a third call comes, and is given up at once. */
const GIVEN_UP = 0.2;
const GIVEN_UP_WITHIN_MS = 30;
const FRAME_AMPLITUDE = 3_000;
const OVERLOADED = "503";
const AUDIO_WITHIN_MS = 2_000;
const STOP_POLL_MS = 20;
const CODECS = [
	{ name: "opus", rate: 48_000 },
	{ name: "G722", rate: 8_000 },
	{ name: "PCMU", rate: 8_000 },
	{ name: "PCMA", rate: 8_000 },
];

/** What the two telephones of a pair speak: every way that audio can go through a node. */
const KINDS: readonly (readonly [CallOptions, CallOptions])[] = [
	[{ codecs: ["PCMU"] }, { codecs: ["PCMU"] }],
	[{ codecs: ["PCMU"] }, { codecs: ["PCMA"] }],
	[{ codecs: ["opus"] }, { codecs: ["PCMU"] }],
	[{ codecs: ["G722"] }, { codecs: ["PCMA"] }],
	[
		{ codecs: ["PCMU"], srtp: { suites: ["AES_CM_128_HMAC_SHA1_80"] } },
		{ codecs: ["PCMU"], srtp: { suites: ["AEAD_AES_128_GCM"] } },
	],
];

export interface TrafficCounts {
	/** answered and not yet over */
	live: number;
	answered: number;
	/** taken back by us before they were answered */
	givenUp: number;
	/** "come again later": this machine is too busy */
	refused: number;
	/** not answered, though nobody gave them up */
	failed: number;
	/** over, and nothing was heard in them */
	deaf: number;
}

/** Calls that come and go, in pairs, until they are told to pause. */
export class Traffic {
	readonly #system: System;
	readonly #numbers: readonly string[];
	readonly #random: () => number;
	#phone: Phone | undefined;
	#pairs: Promise<void>[] = [];
	#on = false;
	readonly counts: TrafficCounts = { live: 0, answered: 0, givenUp: 0, refused: 0, failed: 0, deaf: 0 };
	/** of the latest call that failed, for people */
	why: string | undefined;

	static async prepare(system: System, calls: number, seed: number): Promise<Traffic> {
		// Telephones that encrypt and those that do not, on the same trunks.
		const media = { codecs: CODECS } as unknown as NonNullable<CreateSipInboundTrunkOptions["media"]>;
		const options = { mediaEncryption: ENCRYPTION_ALLOWED, media };
		return new Traffic(system, await provisionPairs(system, Math.max(1, calls >> 1), options), seed);
	}

	private constructor(system: System, numbers: readonly string[], seed: number) {
		this.#system = system;
		this.#numbers = numbers;
		this.#random = seeded(seed);
	}

	async begin(): Promise<void> {
		this.#phone = await Phone.open({ record: false });
		this.#on = true;
		this.#pairs = this.#numbers.map((number, index) => this.#pair(number, KINDS[index % KINDS.length] ?? [{}, {}]));
	}

	/** Everybody hangs up; resolves when all calls are over on our side. */
	async pause(): Promise<void> {
		this.#on = false;
		await Promise.all(this.#pairs);
		await this.#phone?.close();
		this.#phone = undefined;
	}

	async #pair(number: string, kinds: readonly [CallOptions, CallOptions]): Promise<void> {
		// Not all at once: a hundred calls that begin together would end together.
		await this.#wait(this.#random() * this.#numbers.length * RAMP_PER_PAIR_MS);
		while (this.#on) {
			const talkMs = this.#between(TALK);
			// A caller who is alone is not answered: nobody would hear him. So both come and go together.
			const both = kinds.map((kind) => this.#talk(number, kind, talkMs));
			if (this.#random() < GIVEN_UP) await this.#giveUp(number, kinds[0]);
			this.#note((await Promise.all(both)).filter((why) => why !== undefined));
			await this.#wait(this.#between(PAUSE));
		}
	}

	/** Whoever is alone because the other one was refused has not failed by himself. */
	#note(unanswered: readonly string[]): void {
		const refused = unanswered.some((why) => why.includes(OVERLOADED));
		this.counts[refused ? "refused" : "failed"] += unanswered.length;
		this.why = unanswered.at(-1) ?? this.why;
	}

	/** Why it was not answered, or nothing. */
	async #talk(number: string, kind: CallOptions, talkMs: number): Promise<string | undefined> {
		const { counts } = this;
		let call: OutgoingCall | undefined;
		try {
			call = await this.#dial(number, kind);
			await call?.answered();
		} catch (error) {
			return error instanceof Error ? error.message : String(error);
		}
		counts.answered += 1;
		counts.live += 1;
		const since = performance.now();
		await this.#wait(talkMs, call);
		const talkedMs = performance.now() - since;
		call?.hangup();
		await call?.ended();
		counts.live -= 1;
		if (talkedMs > AUDIO_WITHIN_MS && call?.stats().packetsReceived === 0) counts.deaf += 1;
		return undefined;
	}

	async #giveUp(number: string, kind: CallOptions): Promise<void> {
		const call = await this.#dial(number, kind);
		call?.answered().catch(() => undefined);
		await delay(this.#random() * GIVEN_UP_WITHIN_MS);
		call?.hangup();
		await call?.ended();
		this.counts.givenUp += 1;
	}

	async #dial(number: string, kind: CallOptions): Promise<OutgoingCall | undefined> {
		const from = `+1444${String(1_000_000 + Math.floor(this.#random() * 1_000_000))}`;
		const target = `sip:${number}@127.0.0.1:${this.#system.sipPort}`;
		const call = await this.#phone?.call(target, { from, timeoutMs: ANSWER_WITHIN_MS, ...kind });
		call?.setSource(hum());
		return call;
	}

	/** So long, or until a pause, or until the far side hangs up. */
	async #wait(ms: number, call?: OutgoingCall): Promise<void> {
		const until = performance.now() + ms;
		let over = false;
		void call?.ended().then(() => {
			over = true;
		});
		while (this.#on && !over && performance.now() < until) await delay(STOP_POLL_MS);
	}

	#between({ least, most }: { least: number; most: number }): number {
		return least + this.#random() * (most - least);
	}
}

/** Something to be heard. */
function hum(): (frame: Int16Array) => boolean {
	let phase = 0;
	return (frame) => {
		for (let i = 0; i < frame.length; i++) frame[i] = Math.round(FRAME_AMPLITUDE * Math.sin((phase += 0.15)));
		return true;
	};
}
