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
