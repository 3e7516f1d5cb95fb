import { describe, expect, it } from "vitest";
import { ICE_RANDOM_BYTES, iceCredentials } from "./ice.ts";
import { answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
import type { LocalMedia } from "./types.ts";

const ice = { ufrag: "oursours", password: "abcdefghijklmnopqrstuvwx" };
const base: LocalMedia = { address: "192.0.2.9", port: 9000, codecs: ["PCMU"], sessionId: 1, sessionVersion: 1, rtcpMux: true };
const LOCAL: LocalMedia = { ...base, ice };
const CREDENTIALS = ["a=ice-ufrag:F7gI", "a=ice-pwd:x9cml/YzichV2+XlhiMu8g"];
const HOST = "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host";

function offer(lines: readonly string[], { session = [] as readonly string[], address = "192.0.2.1", port = 4000 } = {}): string {
	const connection = `c=IN IP${address.includes(":") ? 6 : 4} ${address}`;
	return [
		"v=0",
		"o=- 1 1 IN IP4 192.0.2.1",
		"s=-",
		connection,
		"t=0 0",
		...session,
		`m=audio ${port} RTP/AVP 0`,
		"a=rtcp-mux",
		...lines,
		"",
	].join("\r\n");
}
const answered = (sdp: string, local = LOCAL) => {
	const answer = answerOffer(sdp, local);
	if (!answer.ok) throw new Error(answer.reason);
	return answer;
};
const AGREED = { ...ice, remoteUfrag: "F7gI", remotePassword: "x9cml/YzichV2+XlhiMu8g" };

describe("RFC 8839: an offer with ICE", () => {
	it("is answered as a lite agent with one candidate", () => {
		const { answerSdp, negotiated } = answered(offer([...CREDENTIALS, HOST]));
		expect(negotiated.ice).toEqual(AGREED);
		expect(answerSdp).toMatch(/t=0 0\r\na=ice-lite\r\nm=audio/);
		expect(answerSdp).toContain(
			"a=ice-ufrag:oursours\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=candidate:1 1 UDP 2130706431 192.0.2.9 9000 typ host\r\na=end-of-candidates\r\n",
		);
	});

	it("credentials of the session part count (§5.4)", () => {
		expect(answered(offer([HOST], { session: CREDENTIALS })).negotiated.ice).toEqual(AGREED);
	});

	it.each([
		["no ICE here", [...CREDENTIALS, HOST], {}, base],
		["a password that is too short", ["a=ice-ufrag:F7gI", "a=ice-pwd:short", HOST], {}, LOCAL],
		["no user fragment", [CREDENTIALS[1] ?? "", HOST], {}, LOCAL],
	])("%s: answered without", (_name, lines, options, local) => {
		const { answerSdp, negotiated } = answered(offer(lines, options), local);
		expect(negotiated.ice).toBeUndefined();
		expect(answerSdp).not.toContain("ice");
	});

	it("RTCP by another port: answered without, as we have one component only", () => {
		const { answerSdp, negotiated } = answered(offer([...CREDENTIALS, HOST]).replace("a=rtcp-mux\r\n", ""));
		expect(negotiated.ice).toBeUndefined();
		expect(answerSdp).not.toContain("ice");
	});

	it("§4.2.5 an address that was changed on the way: ice-mismatch, and media as without ICE", () => {
		const { answerSdp, negotiated } = answered(offer([...CREDENTIALS, HOST], { address: "198.51.100.1" }));
		expect(negotiated.ice).toBeUndefined();
		expect(negotiated.remote).toEqual({ address: "198.51.100.1", port: 4000 });
		expect(answerSdp).toContain("a=ice-mismatch");
		expect(answerSdp).not.toContain("a=ice-ufrag");
	});

	it("a candidate of RTCP or of TCP is no match", () => {
		for (const other of [HOST.replace(" 1 UDP", " 2 UDP"), HOST.replace("UDP", "TCP")])
			expect(answered(offer([...CREDENTIALS, other])).negotiated.ice, other).toBeUndefined();
	});

	it("RFC 8840 §4.1.1: 0.0.0.0 and port 9 are no hold of one that trickles", () => {
		const { negotiated } = answered(offer(CREDENTIALS, { address: "0.0.0.0", port: 9 }));
		expect(negotiated).toMatchObject({ ice: AGREED, onHold: false, direction: "sendrecv" });
		expect(answered(offer([], { address: "0.0.0.0", port: 9 })).negotiated).toMatchObject({ onHold: true });
	});

	it("RFC 8445 §6.1.1: of two lite agents neither checks; media go where the descriptions say", () => {
		const { answerSdp, negotiated } = answered(offer([...CREDENTIALS, HOST], { session: ["a=ice-lite"] }));
		expect(negotiated.ice).toBeUndefined();
		expect(answerSdp).toContain("a=ice-ufrag:oursours");
	});

	it("RFC 8843: a bundle keeps our section alone", () => {
		const sdp = `${offer([...CREDENTIALS, HOST, "a=mid:a1"], { session: ["a=group:BUNDLE a1 v1"] })}m=video 4002 RTP/AVP 96\r\na=mid:v1\r\n`;
		const { answerSdp } = answered(sdp);
		expect(answerSdp).toContain("a=group:BUNDLE a1\r\n");
		expect(answerSdp).toMatch(/m=audio 9000 RTP\/AVP 0\r\na=mid:a1\r\n[^]*m=video 0 RTP\/AVP 96\r\n$/);
		expect(answered(offer(["a=mid:a1"])).answerSdp).not.toContain("BUNDLE");
	});
});

it("an offer of ours has ICE when there is some, and the answer settles it", () => {
	expect(createOffer(LOCAL)).toContain("a=ice-lite\r\n");
	expect(createOffer(base)).not.toContain("ice");
	const read = (sdp: string) => readAnswer(sdp, LOCAL);
	expect(read(offer([...CREDENTIALS, HOST]))).toMatchObject({ negotiated: { ice: AGREED } });
	expect(read(offer([]))).not.toHaveProperty("negotiated.ice");
	expect(read(offer([...CREDENTIALS, HOST, "a=ice-mismatch"]))).not.toHaveProperty("negotiated.ice");
});

it("credentials are as long as RFC 8839 §5.4 asks, of its characters, and of all random bytes", () => {
	const bytes = Uint8Array.from({ length: ICE_RANDOM_BYTES }, (_, i) => i * 8);
	const { ufrag, password } = iceCredentials(bytes);
	expect(ufrag).toMatch(/^[A-Za-z0-9+/]{8}$/);
	expect(password).toMatch(/^[A-Za-z0-9+/]{24}$/);
	for (const at of bytes.keys()) expect(iceCredentials(bytes.with(at, (bytes[at] ?? 0) + 1))).not.toEqual({ ufrag, password });
});
