import { type Body, header, type SipMessage } from "@trunkline/sip";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function sdpBody(sdp: string): Body {
	return { contentType: "application/sdp", bytes: encoder.encode(sdp) };
}

/** The session description that a message carries, if any. */
export function sdpOf(message: SipMessage): string | undefined {
	if (message.body.length === 0) return undefined;
	const type = (header(message, "content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
	return type === "application/sdp" ? decoder.decode(message.body) : undefined;
}

/** The description of a telephone that knows no RFC 4733. */
export function withoutTelephoneEvent(sdp: string): string {
	const types = new Set([...sdp.matchAll(/^a=rtpmap:(\d+) telephone-event\//gim)].map(([, type]) => type));
	const kept = sdp.split("\r\n").filter((line) => !types.has(/^a=(?:rtpmap|fmtp):(\d+) /.exec(line)?.[1]));
	return kept.map((line) => (line.startsWith("m=audio") ? withoutTypes(line, types) : line)).join("\r\n");
}

function withoutTypes(line: string, types: ReadonlySet<string | undefined>): string {
	const [media, port, protocol, ...offered] = line.split(" ");
	return [media, port, protocol, ...offered.filter((type) => !types.has(type))].join(" ");
}
