import { type AnswerResult, answerOffer, createOffer, type LocalCrypto, type LocalMedia, readAnswer, suiteKeyBytes } from "@trunkline/sdp";
import { describe, expect, it } from "vitest";
import { FakeMedia } from "./fakes.testkit.ts";
import { type DescriptionResult, LocalDescription, preferredCodec } from "./local-description.ts";
import { type AgreedMedia, MediaTerms, type TermsInput } from "./media-terms.ts";
import type { MediaSession, NegotiatedAudio } from "./ports.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";
const keys = (first: number, suite: LocalCrypto["keys"][number]["suite"] = SUITE): LocalCrypto => ({
	required: true,
	keys: [{ suite, key: new Uint8Array(suiteKeyBytes(suite)).fill(first) }],
});
const theirs = (crypto?: LocalCrypto, codecs: LocalMedia["codecs"] = ["PCMU", "PCMA"]): LocalMedia => ({
	address: "192.0.2.9",
	port: 5000,
	codecs,
	sessionId: 1,
	sessionVersion: 1,
	...(crypto && { crypto }),
});

async function call(terms: TermsInput) {
	let drawn = 0;
	const random = (length: number): Uint8Array => new Uint8Array(length).fill(++drawn);
	const agreed: AgreedMedia[] = [];
	const mediaTerms = new MediaTerms(random, (each) => agreed.push(each));
	mediaTerms.set(terms);
	const local = new LocalDescription(random, mediaTerms);
	const media: MediaSession = await new FakeMedia().open(() => {});
	const started: NegotiatedAudio[] = [];
	media.start = (negotiated) => void started.push(negotiated);
	/** the peer's reading of what we answered */
	const offered = (crypto?: LocalCrypto, codecs?: LocalMedia["codecs"]) => {
		const peer = theirs(crypto, codecs);
		const answer = local.renegotiate(createOffer(peer), media, "192.0.2.9");
		return answer.ok ? readAnswer(answer.sdp, peer) : answer;
	};
	return { local, media, agreed, started, offered };
}

const answerTo = (offer: string, crypto?: LocalCrypto): string => {
	const answer: AnswerResult = answerOffer(offer, theirs(crypto));
	if (!answer.ok) throw new Error(answer.reason);
	return answer.answerSdp;
};
const reasonOf = (result: DescriptionResult | { ok: boolean; reason?: string }): string => (result.ok ? "agreed" : (result.reason ?? ""));

describe("encryption of a call", () => {
	it("the keys of both sides reach the media, and the suite the record, once", async () => {
		const { offered, started, agreed } = await call({ encryption: "ALLOW" });
		const peer = offered(keys(200));
		expect(peer.ok && "negotiated" in peer && peer.negotiated.srtp?.receive).toEqual(started[0]?.srtp?.send);
		expect(started[0]?.srtp).toMatchObject({ suite: SUITE, receive: new Uint8Array(30).fill(200) });
		offered(keys(200));
		expect(agreed).toEqual([{ codec: "PCMU", srtp: SUITE, keysInTheClear: true }]);
	});

	it("the record's summary has the packets; without an agreement there is none", async () => {
		const { offered, local } = await call({ encryption: "ALLOW", secureSignalling: true });
		const stats = { packetsReceived: 5, packetsSent: 4, packetsLost: 3, packetsRefused: 2, srtpErrors: 1, jitterMs: 0 };
		expect(local.terms.summary(stats)).toBeUndefined();
		offered(keys(200));
		const packets = { received: 5, sent: 4, lost: 3, refused: 2, srtpErrors: 1 };
		expect(local.terms.summary(stats)).toEqual({ codec: "PCMU", srtp: SUITE, packets });
	});

	it("keys that come by TLS are not in the clear", async () => {
		const { offered, agreed } = await call({ encryption: "ALLOW", secureSignalling: true });
		offered(keys(200));
		expect(agreed).toEqual([{ codec: "PCMU", srtp: SUITE }]);
	});

	it("the same key again keeps ours; a new one gets a new one of ours (RFC 4568 §7.1.4)", async () => {
		const { offered, started } = await call({ encryption: "ALLOW" });
		for (const first of [200, 200, 201, 201]) offered(keys(first));
		const [a, b, c, d] = started.map(({ srtp }) => srtp);
		expect(b).toEqual(a);
		expect(c?.receive).toEqual(new Uint8Array(30).fill(201));
		expect(c?.send).not.toEqual(a?.send);
		expect(d).toEqual(c);
	});

	it.each(["ALLOW", "REQUIRE"] as const)("%s: what is encrypted cannot be taken back by a new offer", async (encryption) => {
		const { offered, started, local, media } = await call({ encryption });
		offered(keys(200));
		expect(reasonOf(offered())).toBe("encrypted audio (SRTP) is required, but there is no a=crypto line");
		expect(started).toHaveLength(1);
		// nor by an answer to an offer of ours
		const reoffer = local.reoffer(media, "sendonly");
		expect(reoffer).toContain("RTP/SAVP");
		expect(reasonOf(local.reanswered(createOffer(theirs()), media, "192.0.2.9"))).toContain("is required");
		expect(started).toHaveLength(1);
		// and it goes on
		expect(reasonOf(offered(keys(200)))).toBe("agreed");
	});

	it("our own offers in the call have the keys that it has", async () => {
		const { offered, started, local, media } = await call({ encryption: "REQUIRE" });
		offered(keys(200));
		const offer = local.reoffer(media, "sendonly");
		const result = local.reanswered(answerTo(offer, keys(200)), media, "192.0.2.9");
		expect(reasonOf(result)).toBe("agreed");
		expect(started[1]?.srtp).toEqual(started[0]?.srtp);
	});

	it("DISABLE: offers are in the clear, and one that is not is refused", async () => {
		const { offered, local, media } = await call({ encryption: "DISABLE" });
		expect(local.offer(media)).toMatch(/^m=audio \d+ RTP\/AVP/m);
		expect(reasonOf(offered(keys(200)))).toContain("encryption is disabled here");
	});

	it("ALLOW: encryption is offered, an answer without it is taken, and the call's later offers are in the clear", async () => {
		const { local, media, started, agreed } = await call({ encryption: "ALLOW" });
		const offer = local.offer(media);
		expect(offer).toMatch(/^m=audio \d+ RTP\/SAVP/m);
		const result = local.answered(createOffer(theirs()));
		expect(reasonOf(result)).toBe("agreed");
		expect(result.ok && result.negotiated.srtp).toBeUndefined();
		expect(agreed).toEqual([{ codec: "PCMU" }]);
		expect(local.reoffer(media, "sendonly")).toMatch(/^m=audio \d+ RTP\/AVP/m);
		expect(started).toEqual([]);
	});

	it("ALLOW: a call in the clear may become encrypted", async () => {
		const { offered, started } = await call({ encryption: "ALLOW" });
		offered();
		offered(keys(200));
		expect(started.map(({ srtp }) => srtp?.suite)).toEqual([undefined, SUITE]);
	});

	it("REQUIRE: neither an offer nor an answer in the clear", async () => {
		const { offered, local, media } = await call({ encryption: "REQUIRE" });
		expect(reasonOf(offered())).toContain("is required");
		local.offer(media);
		expect(reasonOf(local.answered(createOffer(theirs())))).toContain("is required");
	});
});

describe("codecs of a trunk", () => {
	const media = (onlyListedCodecs: boolean, ...names: string[]): TermsInput => ({
		encryption: "DISABLE",
		media: { onlyListedCodecs, codecs: names.map((name) => ({ name, rate: 8000 })) },
	});

	it.each([
		["none listed: ours", media(false), ["PCMU", "PCMA"]],
		["listed ones first", media(false, "pcma"), ["PCMA", "PCMU"]],
		["only listed ones", media(true, "PCMA"), ["PCMA"]],
		["ones that we do not have are left out", media(true, "AMR-WB", "PCMU"), ["PCMU"]],
		["none that we have", media(true, "AMR-WB"), []],
		["G.722 is for trunks that list it", media(false, "G722"), ["G722", "PCMU", "PCMA"]],
		[
			"a rate that a codec does not have",
			{ encryption: "DISABLE", media: { onlyListedCodecs: true, codecs: [{ name: "PCMU", rate: 16_000 }] } },
			[],
		],
		[
			"G.722 by its true rate",
			{ encryption: "DISABLE", media: { onlyListedCodecs: true, codecs: [{ name: "g722", rate: 16_000 }] } },
			["G722"],
		],
	] satisfies [string, TermsInput, string[]][])("%s", (_name, terms, expected) => {
		const mediaTerms = new MediaTerms((length) => new Uint8Array(length));
		mediaTerms.set(terms);
		expect(mediaTerms.codecs).toEqual(expected);
	});

	it("a list has an order that stands before the offer's; without one the offer's counts", async () => {
		for (const [terms, expected] of [
			[media(false, "PCMU"), "PCMU"],
			[media(false), "PCMA"],
		] as const) {
			const { offered, started, local } = await call(terms);
			offered(undefined, ["PCMA", "PCMU"]);
			expect(started[0]?.codec).toBe(expected);
			expect(preferredCodec(createOffer(theirs(undefined, ["PCMA", "PCMU"])), local.terms)).toBe(expected);
		}
	});

	it("the codec of an encrypted offer is known before there is a port", async () => {
		const { local } = await call({ encryption: "ALLOW" });
		expect(preferredCodec(createOffer(theirs(keys(1), ["PCMA"])), local.terms)).toBe("PCMA");
	});
});
