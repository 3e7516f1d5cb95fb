import { isIP } from "node:net";
import type { AudioCodec } from "@trunkline/sdp";
import { type HeaderInput, isHeaderName, isHeaderValue, isReservedHeader } from "@trunkline/sip";
import { Command, InvalidArgumentError } from "commander";

export interface CliOptions {
	/** SIP port to wait for calls on; unset = dial */
	listen?: number;
	/** true: --answer; false: --no-answer; unset: neither was given */
	answer?: boolean;
	busy?: boolean;
	decline?: boolean;
	reject?: number;
	once?: boolean;
	/** calls somebody else when the far side asks for it (a transfer) */
	refer: boolean;
	play?: string;
	loop?: boolean;
	tone?: number;
	record?: string;
	dtmf?: string;
	durationMs?: number;
	timeoutMs: number;
	host?: string;
	port?: number;
	from?: string;
	username?: string;
	password?: string;
	proxy?: string;
	headers: HeaderInput[];
	codecs: AudioCodec[];
	/** encrypts with SRTP and takes no call in the clear */
	srtp?: boolean;
	/** the same with DTLS-SRTP */
	dtls?: boolean;
	verbose?: boolean;
}

interface ParsedOptions extends Omit<CliOptions, "headers" | "codecs" | "durationMs" | "timeoutMs"> {
	header?: HeaderInput[];
	codec?: AudioCodec[];
	duration?: number;
	timeout: number;
}

const EXAMPLES = `
Examples:
  Call the number that Trunkline has from the first start, say a WAV file of yours, keep what is heard:
    npm run phone -- sip:+15550100@127.0.0.1 --play hello.wav --record heard.wav
  Call, press 1 2 3 #, hang up after ten seconds:
    npm run phone -- sip:+15550100@127.0.0.1 --dtmf 123# --duration 10
  Be the telephone that somebody calls:
    npm run phone -- --listen 5070 --answer --play hello.wav
  Be busy, decline, or ring without an answer:
    npm run phone -- --listen 5070 --busy
    npm run phone -- --listen 5070 --decline
    npm run phone -- --listen 5070 --no-answer

During a call, in a terminal: 0-9 * # A-D are sent as digits; q or Ctrl-C hangs up.
Exit code: 0 when the call was answered and ended in good order, 1 otherwise.`;

/** Reads the command line. Help and mistakes are printed here, and end the process (0 and 1). */
export function readCommandLine(argv: readonly string[]): { uri: string | undefined; options: CliOptions; help: () => never } {
	const command = new Command("npm run phone --")
		.usage("<sip-uri> [options]   or   npm run phone -- --listen <port> [options]")
		.description(
			"A telephone for the terminal: SIP over UDP, or over TCP and TLS where the URI ends with ;transport=tcp or tls (in quotes).",
		)
		.argument("[sip-uri]", "whom to call, such as sip:+15550100@127.0.0.1 (port 5060 unless it says another)")
		.option("--play <file>", "WAV file to say into the call (PCM 16 bit, A-law or µ-law)")
		.option("--loop", "say it again and again")
		.option("--tone <hz>", "send a steady tone instead", number("a frequency in Hz", 50, 3800))
		.option("--record <file>", "write what is heard to this WAV file")
		.option("--dtmf <digits>", "press these digits after the answer; w waits half a second", digits)
		.option("--duration <seconds>", "hang up so long after the answer", number("seconds", 0.1, 86_400))
		.option("--timeout <seconds>", "give up when not answered by then", number("seconds", 0.1, 600), 60)
		.option("--from <number>", "the number (or SIP URI) that the call comes from")
		.option("--username <name>", "for calls that ask for a password")
		.option("--password <password>", "the same; the variable SIP_PASSWORD does not show in lists of processes")
		.option("--header <line>", 'SIP header to add, "X-Name: value"; may be given again', header)
		.option("--codec <list>", "codecs in order of preference (PCMU,PCMA; G722 and opus too)", codecs)
		.option("--srtp", "encrypt the audio (SRTP), and take no call in the clear")
		.option("--dtls", "the same, with keys of a DTLS handshake (DTLS-SRTP)")
		.option("--proxy <host[:port]>", "send the call there instead of where the URI leads to")
		.option("--host <address>", "address of this machine to use", address)
		.option("--port <port>", "our own SIP port (any free one by default)", port)
		.option("--listen <port>", "wait for calls on this SIP port instead of calling", port)
		.option("--answer", "answer calls")
		.option("--no-answer", "let calls ring")
		.option("--busy", "refuse calls: 486 Busy Here")
		.option("--decline", "refuse calls: 603 Decline")
		.option("--reject <status>", "refuse calls with this SIP status", number("a SIP status", 300, 699))
		.option("--once", "end after the first call")
		.option("--no-refer", "decline transfers instead of calling whom the far side names")
		.option("--verbose", "show SIP messages as they come and go")
		.addHelpText("after", EXAMPLES)
		.configureOutput({ outputError: (text, write) => write(`phone: ${mistake(text)}`) })
		.parse([...argv], { from: "user" });
	const { header: headers, codec, duration, timeout, ...rest } = command.opts<ParsedOptions>();
	const password = rest.password ?? process.env["SIP_PASSWORD"];
	return {
		uri: command.args[0],
		options: {
			...rest,
			headers: headers ?? [],
			codecs: codec ?? ["PCMU", "PCMA"],
			timeoutMs: timeout * 1000,
			...(duration !== undefined && { durationMs: duration * 1000 }),
			...(password !== undefined && { password }),
		},
		help: () => command.help({ error: true }),
	};
}

/** npm takes options for its own unless -- comes first, and hands over only their values. */
function mistake(text: string): string {
	const hint = text.includes("too many arguments") ? "Options go after two dashes: npm run phone -- <sip-uri> --duration 10\n" : "";
	return text.replace(/^error: /, "") + hint;
}

function number(what: string, min: number, max: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() === "" || !(value >= min && value <= max)) throw new InvalidArgumentError(`It must be ${what} from ${min} to ${max}.`);
		return value;
	};
}

function port(text: string): number {
	if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65535)
		throw new InvalidArgumentError("It must be a port from 1 to 65535.");
	return Number(text);
}

function digits(text: string): string {
	if (!/^[0-9*#A-Dw]+$/i.test(text)) throw new InvalidArgumentError("Digits are 0-9 * # A-D, and w to wait.");
	return text;
}

function address(text: string): string {
	if (isIP(text) === 0) throw new InvalidArgumentError("It must be an IP address.");
	return text;
}

function codecs(text: string): AudioCodec[] {
	const known: readonly AudioCodec[] = ["PCMU", "PCMA", "G722", "opus"];
	return text.split(",").map((name) => {
		const codec = known.find((each) => each.toUpperCase() === name.trim().toUpperCase());
		if (codec === undefined) throw new InvalidArgumentError("Codecs are PCMU, PCMA, G722 and opus.");
		return codec;
	});
}

function header(text: string, before: HeaderInput[] | undefined): HeaderInput[] {
	const colon = text.indexOf(":");
	const name = text.slice(0, Math.max(0, colon)).trim();
	const value = text.slice(colon + 1).trim();
	if (!isHeaderName(name) || !isHeaderValue(value)) throw new InvalidArgumentError('It must look like "X-Name: value".');
	if (isReservedHeader(name)) throw new InvalidArgumentError(`${name} is written by the phone itself.`);
	return [...(before ?? []), [name, value]];
}
