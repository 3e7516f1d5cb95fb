import { describe, expect, it } from "vitest";
import { DialogueTerms, parseDialogue } from "./dialogue.ts";

const expecting = (...lines: string[]) => ({ kind: "expect", line: 1, lines }) as const;
const OK = "SIP/2.0 200 OK\r\nTo: <sip:a@b>;tag=t1\r\nVia: one\r\nVia: two\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\nm=audio 4 RTP/AVP 0\r\n";

describe("a dialogue", () => {
	it("is fields, then messages and acts", () => {
		const { fields, steps } = parseDialogue("title: a\npeer: b\n\n# remark\n> ONE x\n> A: b\n>\n> body\n\n< TWO\n@ wait 5\n@ hang-up\n");
		expect(fields).toEqual({ title: "a", peer: "b" });
		expect(steps).toEqual([
			{ kind: "send", line: 5, lines: ["ONE x", "A: b", "", "body"] },
			{ kind: "expect", line: 10, lines: ["TWO"] },
			{ kind: "do", line: 11, lines: ["wait 5"] },
			{ kind: "do", line: 12, lines: ["hang-up"] },
		]);
	});

	it("has nothing else", () => expect(() => parseDialogue("> A\n\nloose: end")).toThrow("line 3"));
});

describe("its terms", () => {
	it("are caught from what came and stand in what is sent, whose length is counted in bytes", () => {
		const terms = new DialogueTerms();
		expect(
			terms.problems(expecting("SIP/2.0 200 OK", "to: <sip:a@b>;tag={tag}", "Via: two", "-Contact", "", "m=audio * RTP/AVP *"), OK),
		).toEqual([]);
		const sent = new TextDecoder().decode(terms.message({ kind: "send", line: 1, lines: ["ACK x", "To: <sip:a@b>;tag={tag}", "", "é"] }));
		expect(sent).toBe("ACK x\r\nTo: <sip:a@b>;tag=t1\r\nContent-Length: 4\r\n\r\né\r\n");
		expect(() => terms.message({ kind: "send", line: 1, lines: ["ACK {never}"] })).toThrow("{never}");
	});

	it.each([
		["another first line", expecting("SIP/2.0 180 Ringing"), "first line is SIP/2.0 200 OK, not SIP/2.0 180 Ringing"],
		["a header that is not there", expecting("SIP/2.0 200 OK", "Contact: *"), "no header Contact: *; there is none of that name"],
		["another value", expecting("SIP/2.0 200 OK", "Via: three"), "no header Via: three; there is Via: one and Via: two"],
		["a header that must not be there", expecting("SIP/2.0 200 OK", "-CSeq"), "there is a header CSeq"],
		["a line of the body", expecting("SIP/2.0 200 OK", "", "a=sendrecv"), "no line a=sendrecv in the body"],
	])("%s is told", (_name, step, problem) => expect(new DialogueTerms().problems(step, OK)).toEqual([problem]));

	it("a term is the same wherever it is", () => {
		const terms = new DialogueTerms();
		terms.problems(expecting("SIP/2.0 200 OK", "To: *;tag={tag}"), OK);
		expect(terms.problems(expecting("SIP/2.0 200 OK", "To: *;tag={tag}"), OK.replace("t1", "t2"))).toHaveLength(1);
	});
});
