import { ENDINGS, endedCall, nodeEnd, peerEnd } from "@trunkline/testkit/endings";
import { describe, expect, it } from "vitest";
import { causeOf } from "./cause.ts";
import { explainEnd } from "./explain-end.ts";

describe("explainEnd", () => {
	it.each(ENDINGS)("%s: %j", (cause, end, over = {}) => {
		const explained = explainEnd(endedCall(end, over));
		expect(explained?.cause).toBe(cause);
		expect(explained?.what).toMatch(/^The (?:in|out)bound call from "\+15551111" to "[^"]+" was not answered, and ended after 3 s: .+\.$/);
		for (const text of [explained?.why, explained?.whatToDo]) {
			expect(text).toMatch(/^[A-Z$"][^]*[.)]$/);
			// Facts that are missing must not show as such.
			expect(text).not.toMatch(/undefined|null|\[object| {2}|\.\./);
		}
	});

	it("has an explanation for every reason that there is, and says nothing of a call that goes on", () => {
		expect(explainEnd(endedCall(undefined))).toBeUndefined();
		expect(new Set(ENDINGS.map(([cause]) => cause)).size).toBeGreaterThanOrEqual(50);
		expect(() => causeOf(endedCall(undefined))).toThrow(/no cause/);
	});

	it("says how long an answered call lasted, and that nothing has to be mended when nothing failed", () => {
		const explained = explainEnd(endedCall(peerEnd("hangup"), { answeredAt: 1_500, endedAt: 61_500 }));
		expect(explained).toMatchObject({ failed: false, whatToDo: "Nothing has to be mended." });
		expect(explained?.what).toContain("was answered and ended after 60 s: hung up");
	});

	it("tells of packets that came and were not let in", () => {
		const packets = { received: 0, sent: 100, lost: 0, refused: 12, srtpErrors: 0 };
		const end = nodeEnd("media-timeout", { message: "no audio ever came from the telephone" });
		expect(explainEnd(endedCall(end, { media: { codec: "PCMU", packets } }))?.why).toContain("12 packets came from another address");
		const wrongKey = { ...packets, refused: 0, srtpErrors: 7 };
		expect(explainEnd(endedCall(end, { media: { codec: "PCMU", packets: wrongKey } }))?.why).toContain("7 packets could not be decrypted");
	});
});
