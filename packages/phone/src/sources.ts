import { ToneGenerator } from "@trunkline/audio";

/**
 * Fills the next 20 ms (160 samples at 8 kHz) that are about to be sent. False: this was the last frame; silence follows. Called once per
 * packet, right before it leaves.
 */
export type AudioSource = (frame: Int16Array) => boolean;

export const silence: AudioSource = (frame) => {
	frame.fill(0);
	return true;
};

/** A steady tone; `levelDbov` is its RMS level, −3 being the loudest sine there is. */
export function toneSource(hz: number, levelDbov: number): AudioSource {
	const generator = new ToneGenerator(8000, [hz], levelDbov);
	return (frame) => {
		generator.fill(frame);
		return true;
	};
}

/** Samples at 8 kHz, once or again and again. */
export function pcmSource(pcm: Int16Array, loop = false): AudioSource {
	let at = 0;
	return (frame) => {
		let filled = 0;
		while (filled < frame.length && at < pcm.length) {
			const piece = pcm.subarray(at, at + frame.length - filled);
			frame.set(piece, filled);
			filled += piece.length;
			at += piece.length;
			if (at >= pcm.length && loop) at = 0;
		}
		frame.fill(0, filled);
		return at < pcm.length;
	};
}

/** A short soft tone every few seconds: enough for the other side to notice that the line works. */
export function gentleSource(everyMs = 3000): AudioSource {
	const generator = new ToneGenerator(8000, [440], -35);
	const frames = everyMs / 20;
	const sounding = 15;
	let index = 0;
	return (frame) => {
		const place = index++ % frames;
		if (place >= sounding) return silence(frame);
		generator.fill(frame);
		// faded in and out over its 300 ms
		for (let i = 0; i < frame.length; i++)
			frame[i] = Math.round((frame[i] ?? 0) * Math.sin((Math.PI * (place + i / frame.length)) / sounding));
		return true;
	};
}
