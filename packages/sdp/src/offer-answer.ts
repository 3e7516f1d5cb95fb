import { offeredCrypto } from "./crypto.ts";
import { dtlsLines } from "./dtls.ts";
import { isMismatched, isTrickling, type NegotiatedIce } from "./ice.ts";
import { readOpusParameters } from "./opus.ts";
import { type Security, securityOfAnswer, securityOfOffer } from "./security.ts";
import { isNowhere, type MediaSection, readSession, type RtpMap } from "./session.ts";
import type { AudioCodec, Direction, LocalMedia, Negotiated, NegotiatedCodec, SdpProblem } from "./types.ts";
import { problem } from "./types.ts";
import {
	audioLines,
	DEFAULT_PTIME_MS,
	type Format,
	OFFERED_PAYLOAD_TYPES,
	rejectedLines,
	type SectionTransport,
	sessionLines,
	toText,
} from "./write.ts";

/** Payload types of telephone-event in our offers, by clock rate. */
const OFFERED_TELEPHONE_EVENTS: ReadonlyMap<number, number> = new Map([
	[8_000, 101],
	[48_000, 110],
]);
const TELEPHONE_CLOCK = 8_000;
const CLOCK_RATES: Record<AudioCodec, number> = { PCMU: TELEPHONE_CLOCK, PCMA: TELEPHONE_CLOCK, G722: TELEPHONE_CLOCK, opus: 48_000 };

export interface AnswerOptions {
	/** whose order of codecs counts; default "offer" (RFC 3264 §6.1 asks the answerer to follow the offer) */
	prefer?: "offer" | "local";
}

export type AnswerResult = { ok: true; answerSdp: string; negotiated: Negotiated } | SdpProblem;
export type NegotiationResult = { ok: true; negotiated: Negotiated } | SdpProblem;

/** An offer of one audio stream (RFC 3264 §5). Throws RangeError when `local` has no codec. */
export function createOffer(local: LocalMedia): string {
	if (local.codecs.length === 0) throw new RangeError("SDP offer without a codec");
	const transport = {
		protocol: offeredProtocol(local),
		cryptos: local.crypto === undefined ? [] : offeredCrypto(local.crypto),
		dtlsLines: local.dtls === undefined ? [] : dtlsLines(local.dtls, undefined),
		rtcpMux: local.rtcpMux === true,
		ice: local.ice,
	};
	const section = audioLines(local, offeredFormats(local), local.direction ?? "sendrecv", transport);
	return toText([...sessionLines(local, transport), ...section]);
}

/** Answers an offer (RFC 3264 §6): takes the first audio section that we can speak, refuses all others. Bad SDP is a result, never a throw. */
export function answerOffer(offerSdp: string, local: LocalMedia, options: AnswerOptions = {}): AnswerResult {
	const read = readSession(offerSdp);
	if (!read.ok) return read;
	const { media } = read.session;
	const chosen = chooseSection(media, local, options);
	if (!("section" in chosen)) return chosen;
	const { section, codec, telephoneEvent, security } = chosen;
	const address = reachable(section, local);
	if (typeof address !== "string") return address;

	const { ice, ...withoutIce } = local;
	// One candidate is one component (RFC 8445 §4): a peer that wants RTCP by another port would wait for the checks of that one for ever.
	const usesIce = ice !== undefined && section.rtcpMux && local.rtcpMux === true;
	const ours = usesIce ? local : withoutIce;
	const negotiated = agree(section, address, ours, codec, telephoneEvent, security);
	const formats: Format[] = telephoneEvent === undefined ? [codec] : [codec, telephoneEvent];
	// The hold of old (0.0.0.0) does not show in the offer's direction; the answer is about that direction only
	const direction = answerDirection(section.direction, local.direction ?? "sendrecv");
	const transport = {
		protocol: section.protocol,
		...security,
		rtcpMux: negotiated.rtcp.mux,
		...answeredIce(section, address, ours),
		mid: section.mid,
		bundledMid: section.bundled ? section.mid : undefined,
	};
	const lines = media.flatMap((each) => (each === section ? audioLines(local, formats, direction, transport) : rejectedLines(each)));
	return { ok: true, answerSdp: toText([...sessionLines(local, transport), ...lines]), negotiated };
}

/** Reads the answer to the offer that `createOffer(local)` made (RFC 3264 §7). */
export function readAnswer(answerSdp: string, local: LocalMedia): NegotiationResult {
	const read = readSession(answerSdp);
	if (!read.ok) return read;
	const section = read.session.media[0];
	if (section === undefined || section.kind !== "audio" || section.port === 0) return problem("no-audio", "the answer refuses audio");
	const secured = securityOfAnswer(section, local);
	if (!secured.ok) return secured;
	const address = reachable(section, local);
	if (typeof address !== "string") return address;
	const codec = findCodec(section, local, "offer");
	if (codec === undefined) return noCommonCodec(local);
	const telephoneEvent = findTelephoneEvent(section, local, codec);
	return {
		ok: true,
		negotiated: agree(
			section,
			address,
			local,
			{ ...codec, receivePayloadType: OFFERED_PAYLOAD_TYPES[codec.name] },
			telephoneEvent && { ...telephoneEvent, receivePayloadType: OFFERED_TELEPHONE_EVENTS.get(telephoneEvent.clockRate) ?? 101 },
			secured.security,
		),
	};
}

/** Our direction in an answer (RFC 3264 §6.1): what the offer allows, seen from our side, and no more than we want. */
export function answerDirection(offered: Direction, wanted: Direction): Direction {
	const send = receives(offered) && sends(wanted);
	const receive = sends(offered) && receives(wanted);
	if (send && receive) return "sendrecv";
	if (send) return "sendonly";
	return receive ? "recvonly" : "inactive";
}

interface Choice {
	section: MediaSection;
	codec: NegotiatedCodec<AudioCodec>;
	telephoneEvent: NegotiatedCodec<"telephone-event"> | undefined;
	security: Security;
}

/** Encrypted sections first: peers that can do both offer one of each. */
function chooseSection(media: readonly MediaSection[], local: LocalMedia, options: AnswerOptions): Choice | SdpProblem {
	const audio = media.filter((section) => section.kind === "audio" && section.port !== 0);
	let refusal: SdpProblem = problem("no-audio", "SDP offers no audio");
	let plain: Choice | undefined;
	for (const section of audio) {
		const secured = securityOfOffer(section, local);
		const codec = secured.ok ? findCodec(section, local, options.prefer ?? "offer") : undefined;
		if (!secured.ok || codec === undefined) {
			const why = secured.ok ? noCommonCodec(local) : secured;
			// what comes nearest to a call
			if (rank(why) > rank(refusal)) refusal = why;
			continue;
		}
		const choice = { section, codec, telephoneEvent: findTelephoneEvent(section, local, codec), security: secured.security };
		if (secured.security.srtp !== undefined || secured.security.dtls !== undefined) return choice;
		plain ??= choice;
	}
	return plain ?? refusal;
}

const rank = ({ code }: SdpProblem): number => ["no-audio", "unsupported-transport", "no-crypto", "no-common-codec"].indexOf(code);

/** The peer's address, when we have a way to it. */
function reachable(section: MediaSection, local: LocalMedia): string | SdpProblem {
	const { address } = section;
	if (address === undefined) return problem("no-address", "SDP names no IP address for its audio");
	const isIpv6 = address.includes(":");
	if (isNowhere(address) || isIpv6 === local.address.includes(":")) return address;
	return problem(
		"no-address",
		`SDP has an ${isIpv6 ? "IPv6" : "IPv4"} address for its audio, and here is only ${isIpv6 ? "IPv4" : "IPv6"}`,
	);
}

function noCommonCodec(local: LocalMedia): SdpProblem {
	return problem("no-common-codec", `SDP has none of the codecs ${local.codecs.join(", ")}`);
}

function findCodec(section: MediaSection, local: LocalMedia, prefer: "offer" | "local"): NegotiatedCodec<AudioCodec> | undefined {
	const shared = formatsOf(section).flatMap(({ payloadType, map }) => {
		const name = local.codecs.find((codec) => codec === map.name);
		return name === undefined || map.clockRate !== CLOCK_RATES[name]
			? []
			: [{ name, payloadType, receivePayloadType: payloadType, clockRate: map.clockRate }];
	});
	if (prefer === "offer") return shared[0];
	return local.codecs.map((codec) => shared.find(({ name }) => name === codec)).find((codec) => codec !== undefined);
}

/** RFC 4733 §2.1: events run on the clock of the audio they belong to. Peers that have Opus and know events at 8000 Hz only get those. */
function findTelephoneEvent(
	section: MediaSection,
	local: LocalMedia,
	codec: NegotiatedCodec<AudioCodec>,
): NegotiatedCodec<"telephone-event"> | undefined {
	if (local.telephoneEvent === false) return undefined;
	const events = formatsOf(section).filter(({ map }) => map.name === "telephone-event");
	const found = events.find(({ map }) => map.clockRate === codec.clockRate) ?? events.find(({ map }) => map.clockRate === TELEPHONE_CLOCK);
	if (found === undefined) return undefined;
	const { payloadType, map } = found;
	return { name: "telephone-event", payloadType, receivePayloadType: payloadType, clockRate: map.clockRate };
}

function formatsOf(section: MediaSection): { payloadType: number; map: RtpMap }[] {
	return section.payloadTypes.flatMap((payloadType) => {
		const map = section.rtpMaps.get(payloadType);
		return map === undefined ? [] : [{ payloadType, map }];
	});
}

function agree(
	section: MediaSection,
	address: string,
	local: LocalMedia,
	codec: NegotiatedCodec<AudioCodec>,
	telephoneEvent: NegotiatedCodec<"telephone-event"> | undefined,
	security: Security,
): Negotiated {
	const ice = negotiatedIce(section, address, local);
	const nowhere = isNowhere(address) && !(ice !== undefined && isTrickling(address, section.port));
	const reversed = answerDirection(section.direction, local.direction ?? "sendrecv");
	const direction = nowhere ? withoutSending(reversed) : reversed;
	return {
		codec,
		...(codec.name === "opus" && { opus: readOpusParameters(section.formatParameters.get(codec.payloadType)) }),
		...(telephoneEvent && { telephoneEvent }),
		remote: { address, port: section.port },
		rtcp: rtcpOf(section, address, local),
		direction,
		onHold: nowhere || !receives(section.direction),
		ptimeMs: packetTime(section),
		...(security.srtp && { srtp: security.srtp }),
		...(security.dtls && { dtls: security.dtls }),
		...(ice && { ice }),
	};
}

/** RFC 4568 §4, RFC 5764 §8. With both ways to keys the peer that knows only the older one must be able to read it. */
function offeredProtocol({ crypto, dtls }: LocalMedia): string {
	if (crypto !== undefined) return "RTP/SAVP";
	return dtls === undefined ? "RTP/AVP" : "UDP/TLS/RTP/SAVP";
}

/** What of ICE goes into the answer. */
function answeredIce(section: MediaSection, address: string, { ice }: LocalMedia): Pick<SectionTransport, "ice" | "iceMismatch"> {
	if (section.ice === undefined || ice === undefined) return {};
	return isMismatched(section.ice, address, section.port) ? { iceMismatch: true } : { ice };
}

/** Of two lite agents neither checks anything (RFC 8445 §6.1.1): media go where the descriptions say, as without ICE. */
function negotiatedIce(section: MediaSection, address: string, { ice }: LocalMedia): NegotiatedIce | undefined {
	const theirs = section.ice;
	if (theirs === undefined || ice === undefined || theirs.lite || isMismatched(theirs, address, section.port)) return undefined;
	return { ...ice, remoteUfrag: theirs.ufrag, remotePassword: theirs.password };
}

/** RFC 5761 §5.1.1: both must say rtcp-mux; RFC 3605: a=rtcp tells another port than the next one. An odd port out at the end has no next one. */
function rtcpOf(section: MediaSection, address: string, local: LocalMedia): Negotiated["rtcp"] {
	const { rtcpMux, rtcp, port } = section;
	const asked = section.wantsVoipMetrics ? ({ voipMetrics: true } as const) : {};
	if (rtcpMux && local.rtcpMux === true) return { mux: true, address, port, ...asked };
	const theirs = rtcp?.address;
	const usable = theirs !== undefined && !isNowhere(theirs) && theirs.includes(":") === address.includes(":");
	return { mux: false, address: usable ? theirs : address, port: rtcp?.port ?? Math.min(65_535, port + 1), ...asked };
}

function packetTime(section: MediaSection): number {
	const wanted = Math.min(section.ptimeMs ?? DEFAULT_PTIME_MS, section.maxPtimeMs ?? Number.POSITIVE_INFINITY);
	return wanted >= 10 && wanted <= 60 && wanted % 10 === 0 ? wanted : DEFAULT_PTIME_MS;
}

function offeredFormats(local: LocalMedia): Format[] {
	const formats: Format[] = local.codecs.map((name) => ({
		payloadType: OFFERED_PAYLOAD_TYPES[name],
		name,
		clockRate: CLOCK_RATES[name],
	}));
	if (local.telephoneEvent === false) return formats;
	// One for each clock of ours (RFC 4733 §2.1), and the telephones' own in any case.
	const clocks = new Set([...formats.map(({ clockRate }) => clockRate), TELEPHONE_CLOCK]);
	const events = [...OFFERED_TELEPHONE_EVENTS].filter(([clockRate]) => clocks.has(clockRate));
	return [...formats, ...events.map(([clockRate, payloadType]) => ({ payloadType, name: "telephone-event", clockRate }))];
}

function sends(direction: Direction): boolean {
	return direction === "sendrecv" || direction === "sendonly";
}

function receives(direction: Direction): boolean {
	return direction === "sendrecv" || direction === "recvonly";
}

function withoutSending(direction: Direction): Direction {
	return receives(direction) ? "recvonly" : "inactive";
}
