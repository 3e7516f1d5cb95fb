import { TrackInfo } from "@livekit/protocol";
import { expect, it } from "vitest";
import type { Participant } from "./participant.ts";
import { SpeakerDetector } from "./speakers.ts";

/** A participant with one track, whose loudest frame since the last look was at -`dbov`; undefined = silence. */
function talker(sid: string, said: { dbov: number | undefined }): Participant {
	const takeActivity = () =>
		said.dbov === undefined ? { frames: 20, loudFrames: 0, loudest: 127 } : { frames: 20, loudFrames: 15, loudest: said.dbov };
	const track = { info: new TrackInfo({ sid: "TR_a" }), source: { kind: "audio", takeActivity } };
	return { sid, tracks: new Map([["TR_a", track]]) } as unknown as Participant;
}

it("tells who begins, who is markedly louder, and who ends; and of newcomers who speaks already", () => {
	const [detector, said] = [new SpeakerDetector(), { dbov: 20 as number | undefined }];
	const alice = talker("PA_a", said);
	const look = (): unknown[] => detector.update([alice]).map(({ sid, active, level }) => [sid, active, level]);
	// -20 dBov are 0.1: one eighth, rounded up
	expect(look()).toEqual([["PA_a", true, 0.125]]);
	said.dbov = 19;
	expect(look()).toEqual([]);
	expect(detector.speaking("PA_a")).toMatchObject({ sid: "PA_a", active: true, level: 0.125 });
	said.dbov = 6;
	expect(look()).toEqual([["PA_a", true, 0.625]]);
	said.dbov = undefined;
	expect(look()).toEqual([["PA_a", false, 0]]);
	expect(detector.speaking("PA_a")).toBeUndefined();
});
