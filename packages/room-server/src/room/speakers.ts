import { SpeakerInfo } from "@livekit/protocol";
import type { Participant } from "./participant.ts";

/** share of the frames since the last look that must be speech; LiveKit's default (`min_percentile` 40) */
const MIN_SHARE = 0.4;

/** steps that LiveKit rounds levels up to, so that not each breath is news */
const LEVEL_STEPS = 8;

/** Says who began or ceased to speak, and how loud, from the audio levels that publishers put on their packets (RFC 6464). */
export class SpeakerDetector {
	/** those who speak, by sid */
	readonly #active = new Map<string, SpeakerInfo>();

	/** What changed since the last call. */
	update(participants: readonly Participant[]): SpeakerInfo[] {
		const changed: SpeakerInfo[] = [];
		for (const participant of participants) {
			const loudest = loudestSpeech(participant);
			// RFC 6464 levels are -dBov; LiveKit reports 0 … 1 linear
			const level = loudest === undefined ? 0 : Math.ceil(10 ** (-loudest / 20) * LEVEL_STEPS) / LEVEL_STEPS;
			if (level === (this.#active.get(participant.sid)?.level ?? 0)) continue;
			const speaker = new SpeakerInfo({ sid: participant.sid, active: loudest !== undefined, level });
			if (speaker.active) this.#active.set(participant.sid, speaker);
			else this.#active.delete(participant.sid);
			changed.push(speaker);
		}
		return changed;
	}

	/** What somebody has to know who hears this participant from now on; undefined when it is silent. */
	speaking(sid: string): SpeakerInfo | undefined {
		return this.#active.get(sid);
	}

	forget(sid: string): void {
		this.#active.delete(sid);
	}
}

function loudestSpeech(participant: Participant): number | undefined {
	let loudest: number | undefined;
	for (const track of participant.tracks.values()) {
		if (track.source.kind !== "audio") continue;
		const activity = track.source.takeActivity();
		if (activity.frames === 0 || activity.loudFrames / activity.frames < MIN_SHARE) continue;
		loudest = Math.min(loudest ?? activity.loudest, activity.loudest);
	}
	return loudest;
}
