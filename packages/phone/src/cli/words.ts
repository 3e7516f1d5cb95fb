import type { PhoneCall } from "../call.ts";
import type { CallEnd } from "../call-end.ts";

const STATUS_WORDS: Record<number, string> = {
	401: "it asks for a user name and password (--username, --password)",
	403: "the call is not allowed",
	404: "there is no such number",
	407: "it asks for a user name and password (--username, --password)",
	408: "no answer in time",
	480: "nobody can be reached there now",
	484: "the number is incomplete",
	486: "the line is busy",
	487: "the call was cancelled",
	488: "no codec in common, or one side wants the audio encrypted and the other one does not (--codec, --srtp, --dtls)",
	500: "the far side has a fault",
	503: "the far side takes no calls now",
	600: "busy everywhere",
	603: "the call was declined",
};

/** "486 Busy Here: the line is busy" */
export function failureWords(end: CallEnd): string {
	if (end.cause === "no-answer" || end.cause === "media") return end.reason;
	if (end.cause === "cancelled" || end.cause === "closed") return end.by === "remote" ? end.reason : "cancelled before the answer";
	if (end.status !== undefined) {
		const words = STATUS_WORDS[end.status];
		return `${end.status} ${end.reason}${words === undefined ? "" : `: ${words}`}`;
	}
	if (end.cause === "timeout") return "nobody answers at that address (is it running, and is the port right?)";
	if (end.cause === "transport") return transportWords(end.reason);
	return end.reason;
}

/** Node's own advice is about its command line, and nobody types that here. */
function transportWords(reason: string): string {
	const [what = reason] = reason.split("; if the root CA");
	const isUnknown = /self-signed|unable to (verify|get)/.test(what);
	const advice = isUnknown ? "; with NODE_EXTRA_CA_CERTS=ca.pem before the command an authority of yours is believed" : "";
	return `the address cannot be reached (${what}${advice})`;
}

/** What may be amiss when a call is not answered yet. */
export function waitingWords(state: string): string {
	if (state === "ringing")
		return "still ringing; a Trunkline answers when somebody in the room can hear (a second phone, or the greeter example)";
	return "no reply yet; is the far side running, and are address and port right?";
}

/** Whether the call went as calls should. */
export function isGoodEnd(end: CallEnd): boolean {
	return end.answered && (end.cause === "bye" || end.cause === "closed");
}

/** Lines to be told after an answered call. */
export function summary(call: PhoneCall, end: CallEnd): string {
	const seconds = ((call.timing.endedAt ?? 0) - (call.timing.answeredAt ?? 0)) / 1000;
	const { packetsSent, packetsReceived, packetsLost, jitterMs } = call.stats();
	const how = isGoodEnd(end) ? `hung up by ${end.by === "remote" ? "the far side" : "us"}` : `${end.reason}`;
	const media = `packets sent ${packetsSent}, received ${packetsReceived}, lost ${packetsLost}, jitter ${jitterMs.toFixed(1)} ms`;
	const digits = call.digits === "" ? "" : `; digits heard: ${call.digits}`;
	return `${how} after ${seconds.toFixed(1)} s; ${media}${digits}`;
}
