import type { PhoneCall } from "../call.ts";
import type { CallEnd } from "../call-end.ts";
import { PhoneError } from "../errors.ts";
import { gentleSource, pcmSource, toneSource, type AudioSource } from "../sources.ts";
import { numbered, readAudio, writeAudio } from "./audio-file.ts";
import type { CliOptions } from "./options.ts";
import { isInteractive, isQuit, listenToKeys, say } from "./terminal.ts";
import { summary } from "./words.ts";

const TONE_DBOV = -20;
/** Digits are pressed so long after the answer: the far side may still be opening its ears. */
const FIRST_DIGIT_MS = 500;
/** How long a hang-up waits for the far side. */
const GOODBYE_MS = 1000;

/** What the command's options say about sound, read before anybody is called. */
export interface Sound {
	/** a new source for each call */
	source(): AudioSource;
	/** to be told, when it is not what was asked for */
	note: string | undefined;
}

export async function prepareSound(options: CliOptions): Promise<Sound> {
	const { play, tone, loop } = options;
	if (play !== undefined) {
		const pcm = await readAudio(play);
		if (pcm.length === 0) throw new PhoneError(`cannot play ${play}: it holds no audio`);
		return { source: () => pcmSource(pcm, loop), note: undefined };
	}
	if (tone !== undefined) return { source: () => toneSource(tone, TONE_DBOV), note: undefined };
	return { source: () => gentleSource(), note: "no --play file: a short soft tone is sent every three seconds" };
}

/** Lives through an answered call until it is over: digits, keys, duration, recording. */
export async function converse(call: PhoneCall, options: CliOptions, stopped: Promise<void>, count: number): Promise<CallEnd> {
	const { codec } = await call.answered();
	const remote = call.rtp.remote;
	const setUp = (call.timing.answeredAt ?? 0) - call.timing.startedAt;
	say(`answered after ${Math.round(setUp)} ms: ${codec.name}, audio to ${remote?.address}:${remote?.port}`);
	if (isInteractive()) say("keys 0-9 * # A-D are sent as digits; q hangs up");
	call.on("dtmf", (digit) => say(`digit heard: ${digit}`));
	const timers: NodeJS.Timeout[] = [];
	const { dtmf, durationMs } = options;
	if (dtmf !== undefined) timers.push(setTimeout(() => press(call, dtmf), FIRST_DIGIT_MS));
	if (durationMs !== undefined) timers.push(setTimeout(() => call.hangup(), durationMs));
	const ignoreKeys = listenToKeys((key) => (isQuit(key) ? call.hangup() : press(call, key)));
	try {
		await Promise.race([call.ended(), stopped]);
		call.hangup();
		await Promise.race([call.ended(), new Promise((resolve) => timers.push(setTimeout(resolve, GOODBYE_MS)))]);
	} finally {
		ignoreKeys();
		for (const timer of timers) clearTimeout(timer);
	}
	if (call.end === undefined) call.abandon();
	const end = await call.ended();
	say(summary(call, end));
	await keepRecording(call, options, count);
	return end;
}

function press(call: PhoneCall, digits: string): void {
	if (!/^[0-9*#A-Dw]+$/i.test(digits) || call.state !== "answered") return;
	try {
		call.sendDtmf(digits);
		say(`digits sent: ${digits}`);
	} catch (error) {
		if (!(error instanceof PhoneError)) throw error;
		say(error.message);
	}
}

async function keepRecording(call: PhoneCall, { record }: CliOptions, count: number): Promise<void> {
	if (record === undefined) return;
	const name = numbered(record, count);
	const pcm = call.received.pcm();
	await writeAudio(name, pcm);
	say(`wrote ${name}: ${(pcm.length / 8000).toFixed(1)} s of what was heard`);
}
