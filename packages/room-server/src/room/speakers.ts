import { SpeakerInfo } from "@livekit/protocol";
import type { Participant } from "./participant.ts";

/** share of the frames since the last look that must be speech; LiveKit's default (`min_percentile` 40) */
const MIN_SHARE = 0.4;

/** Says who began or ceased to speak, from the audio levels that publishers put on their packets (RFC 6464). */
export class SpeakerDetector {
	/** sids of those who speak */
	readonly #active = new Set<string>();

	/** What changed since the last call. */
	update(participants: readonly Participant[]): SpeakerInfo[] {
		const changed: SpeakerInfo[] = [];
		for (const participant of participants) {
			const loudest = loudestSpeech(participant);
			const active = loudest !== undefined;
			if (active === this.#active.has(participant.sid)) continue;
			if (active) this.#active.add(participant.sid);
			else this.#active.delete(participant.sid);
			// RFC 6464 levels are -dBov; LiveKit reports 0 … 1 linear
			changed.push(new SpeakerInfo({ sid: participant.sid, active, level: loudest === undefined ? 0 : 10 ** (-loudest / 20) }));
		}
		return changed;
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
