import { isIpv4, isIpv6 } from "@trunkline/sip";
import { fromText, isSame, type Mac, macOf, toText } from "./keys.ts";

/** Where a request first came from, as the node says that passed it on. */
export interface Origin {
	host: string;
	port: number;
	transport: "UDP" | "TCP" | "TLS";
	/** several nodes are asked: who has nothing to do with it says nothing */
	silent: boolean;
	/** ms since the epoch: when it was passed on */
	at: number;
}

/** A header field of its own, the first one: nothing of the message has to be written anew when it is taken out. */
const NAME = "Trunkline-Relay: ";
/** Clocks of nodes differ by less; a request that somebody heard and sends again later is none. */
const FRESH_MS = 15_000;
const MAX_MARKER = 400;

const CR = 13;
const LF = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** The request with the marker of a node of the fleet: whoever has the secret can tell that nothing of it was changed, and where it came from. */
export function mark(request: Uint8Array, { host, port, transport, silent, at }: Origin, mac: Mac): Uint8Array {
	const start = endOfLine(request, 0);
	if (start === undefined) throw new Error("a SIP message without a line");
	const said = [String(at), transport, String(port), silent ? "s" : "-", host].join(" ");
	const seal = toText(macOf(mac, "marker", said, request));
	const line = encoder.encode(`${NAME}${toText(encoder.encode(said))}.${seal}\r\n`);
	const marked = new Uint8Array(request.length + line.length);
	marked.set(request.subarray(0, start));
	marked.set(line, start);
	marked.set(request.subarray(start), start + line.length);
	return marked;
}

/** The request as it was before, and its origin. Undefined: it has no marker, one of somebody without the secret, or an old one. Never throws. */
export function readMarked(bytes: Uint8Array, now: number, mac: Mac): { request: Uint8Array; origin: Origin } | undefined {
	const start = endOfLine(bytes, 0);
	const end = start === undefined ? undefined : endOfLine(bytes, start);
	if (start === undefined || end === undefined || end - start > MAX_MARKER) return undefined;
	const line = decoder.decode(bytes.subarray(start, end - 2));
	if (!line.startsWith(NAME)) return undefined;
	const [saidText = "", sealText = "", ...more] = line.slice(NAME.length).split(".");
	const said = fromText(saidText);
	const seal = fromText(sealText);
	if (said === undefined || seal === undefined || more.length > 0) return undefined;
	const request = new Uint8Array(bytes.length - (end - start));
	request.set(bytes.subarray(0, start));
	request.set(bytes.subarray(end), start);
	const text = decoder.decode(said);
	if (!isSame(seal, macOf(mac, "marker", text, request))) return undefined;
	const origin = originOf(text);
	return origin === undefined || Math.abs(now - origin.at) > FRESH_MS ? undefined : { request, origin };
}

function originOf(text: string): Origin | undefined {
	const [, at, transport, port, silent, host = ""] = /^(\d{1,15}) (UDP|TCP|TLS) (\d{1,5}) ([s-]) (\S+)$/.exec(text) ?? [];
	if (at === undefined || (!isIpv4(host) && !isIpv6(host)) || Number(port) > 65_535) return undefined;
	return { at: Number(at), transport: transport as Origin["transport"], port: Number(port), silent: silent === "s", host };
}

/** Where the line ends that begins at `from`, after its CRLF. */
function endOfLine(bytes: Uint8Array, from: number): number | undefined {
	const at = bytes.indexOf(LF, from);
	return at > from && bytes[at - 1] === CR ? at + 1 : undefined;
}
