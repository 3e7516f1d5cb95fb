import type { EndpointOptions, SipInput } from "../endpoint-types.ts";
import { SipUsageError } from "../errors.ts";
import { parseHostPort, writeHost } from "../grammar/host.ts";
import { isHeaderName, isHeaderValue, isToken } from "../grammar/tokens.ts";
import { isReservedHeader } from "../message/header-names.ts";
import type { Body, HeaderInput } from "../message/message.ts";

type Command = Exclude<SipInput, { kind: "received" | "transport-error" | "register" | "unregister" }>;

const STATUS_OF: Readonly<Record<string, readonly [number, number]>> = { ring: [101, 199], reject: [300, 699], respond: [101, 699] };

/** Throws SipUsageError when a command of the driver could not be written; done before anything changes. */
export function assertCommand(command: Command): void {
	assertParts(command);
	if ("status" in command) {
		const [least, most] = STATUS_OF[command.kind] ?? [100, 699];
		const { status } = command;
		if (!(Number.isInteger(status) && status >= least && status <= most))
			throw new SipUsageError(`${command.kind}: status is not ${least}..${most}`);
	}
	if (command.kind === "request" && (!isToken(command.method) || ["ACK", "CANCEL", "BYE"].includes(command.method))) {
		throw new SipUsageError("request: method is no token, or has a command of its own");
	}
	if (command.kind === "call") assertCall(command);
}

/** Throws SipUsageError when what the endpoint says of itself could not be written. */
export function assertOptions(options: EndpointOptions): void {
	const { userAgent, contact, allow = [], supported = [] } = options;
	if (!isHeaderValue(userAgent)) throw new SipUsageError("userAgent cannot be written");
	const hosts = [contact.host, contact.host6 ?? contact.host];
	const ports = [contact.port, contact.tlsPort ?? contact.port];
	if (hosts.some((host) => parseHostPort(writeHost(host)) === undefined) || !ports.every((port) => port > 0 && port < 65_536)) {
		throw new SipUsageError("contact is no host and port");
	}
	if (![...allow, ...supported].every(isToken)) throw new SipUsageError("allow or supported has what is no token");
}

function assertParts(parts: { headers?: readonly HeaderInput[]; body?: Body; reason?: string }): void {
	for (const [name, value] of parts.headers ?? []) {
		if (!isHeaderName(name) || !isHeaderValue(value))
			throw new SipUsageError("header cannot be written: see isHeaderName and isHeaderValue");
		if (isReservedHeader(name)) throw new SipUsageError(`header ${name} is the endpoint's own: see isReservedHeader`);
	}
	if (parts.body !== undefined && !isHeaderValue(parts.body.contentType)) throw new SipUsageError("content type cannot be written");
	if (parts.reason !== undefined && !isHeaderValue(parts.reason)) throw new SipUsageError("reason phrase cannot be written");
}

function assertCall(call: Extract<SipInput, { kind: "call" }>): void {
	for (const [what, uri] of [
		["requestUri", call.requestUri],
		["from.uri", call.from.uri],
		["to.uri", call.to.uri],
	] as const) {
		if (!isHeaderValue(uri) || !/^[A-Za-z][^\s<>"]*$/.test(uri)) throw new SipUsageError(`call: ${what} is no URI`);
	}
	if (call.callId !== undefined && !/^[!-~]+$/.test(call.callId))
		throw new SipUsageError("call: callId has other than visible ASCII characters");
	if (call.localTag !== undefined && !isToken(call.localTag)) throw new SipUsageError("call: localTag is no token");
}
