import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { parseMessage } from "@trunkline/sip";

export interface Target {
	/** IP address */
	host: string;
	port: number;
	transport: "UDP" | "TCP" | "TLS";
	/** what its certificate must be for */
	name: string;
}

export type Answer =
	| { kind: "answered"; status: number; reason: string; ms: number }
	| { kind: "silence" }
	| { kind: "failed"; message: string; certificate: boolean };

const WITHIN_MS = 4_000;
/** RFC 3261 §17.1.2.2: Timer E */
const AGAIN_MS = [500, 1_500, 3_500];

/** Asks whether SIP is spoken there (RFC 3261 §11). Nothing is sent but OPTIONS. */
export function askOptions(target: Target): Promise<Answer> {
	return target.transport === "UDP" ? overUdp(target) : overStream(target);
}

function overUdp(target: Target): Promise<Answer> {
	return new Promise((resolve) => {
		const began = performance.now();
		const socket = createSocket(isIPv6(target.host) ? "udp6" : "udp4");
		const timers: NodeJS.Timeout[] = [];
		const end = (answer: Answer): void => {
			for (const timer of timers) clearTimeout(timer);
			socket.removeAllListeners().on("error", () => {});
			socket.close();
			resolve(answer);
		};
		socket.on("error", (error: NodeJS.ErrnoException) => end({ kind: "failed", message: words(error), certificate: false }));
		socket.on("message", (bytes) => {
			const answer = answerIn(bytes, began);
			if (answer !== undefined) end(answer);
		});
		// Connected: a port that nobody has is told by ICMP, and nobody else can answer.
		socket.connect(target.port, target.host, () => {
			const { address, port } = socket.address();
			const request = optionsRequest(target, address, port);
			const send = (): void => socket.send(request);
			send();
			for (const ms of AGAIN_MS) timers.push(setTimeout(send, ms));
			timers.push(setTimeout(() => end({ kind: "silence" }), WITHIN_MS));
		});
	});
}

function overStream(target: Target): Promise<Answer> {
	return new Promise((resolve) => {
		const began = performance.now();
		const { host, port, name } = target;
		const isTls = target.transport === "TLS";
		const socket: Socket = isTls ? connectTls({ host, port, ...(isNamed(name) ? { servername: name } : {}) }) : connect({ host, port });
		let received = Buffer.alloc(0);
		const end = (answer: Answer): void => {
			clearTimeout(timer);
			socket.removeAllListeners().on("error", () => {});
			socket.destroy();
			resolve(answer);
		};
		const timer = setTimeout(() => end({ kind: "silence" }), WITHIN_MS);
		socket.on("error", (error: NodeJS.ErrnoException) => {
			const certificate = /CERT|SELF_SIGNED|ALTNAME|VERIFY|certificate/i.test(`${error.code ?? ""} ${error.message}`);
			end({ kind: "failed", message: words(error), certificate });
		});
		socket.on("close", () => end({ kind: "silence" }));
		socket.once(isTls ? "secureConnect" : "connect", () => {
			socket.write(optionsRequest(target, socket.localAddress ?? "127.0.0.1", socket.localPort ?? 0));
		});
		socket.on("data", (bytes: Buffer) => {
			received = Buffer.concat([received, bytes]).subarray(0, 65_536);
			const answer = received.includes("\r\n\r\n") ? answerIn(received, began) : undefined;
			if (answer !== undefined) end(answer);
		});
	});
}

const isNamed = (name: string): boolean => /[a-z]/i.test(name) && !name.includes(":");

function words(error: NodeJS.ErrnoException): string {
	return error.code === "ECONNREFUSED" ? "nothing listens there" : error.message;
}

function answerIn(bytes: Uint8Array, began: number): Answer | undefined {
	const parsed = parseMessage(bytes);
	if (!parsed.ok || parsed.message.kind !== "response" || parsed.message.status < 200) return undefined;
	const { status, reason } = parsed.message;
	return { kind: "answered", status, reason: reason.replace(/[^\x20-\x7e]/g, "?"), ms: Math.round(performance.now() - began) };
}

function optionsRequest({ host, port, transport, name }: Target, localAddress: string, localPort: number): string {
	const bracketed = (address: string): string => (address.includes(":") ? `[${address}]` : address);
	const random = randomBytes(12).toString("hex");
	const to = `sip:${bracketed(isNamed(name) ? name : host)}:${port}`;
	const local = `${bracketed(localAddress)}:${localPort}`;
	return [
		`OPTIONS ${to}${transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`} SIP/2.0`,
		`Via: SIP/2.0/${transport} ${local};branch=z9hG4bK${random};rport`,
		"Max-Forwards: 70",
		`From: <sip:doctor@${local}>;tag=${random.slice(0, 8)}`,
		`To: <${to}>`,
		`Call-ID: ${random}@${local}`,
		"CSeq: 1 OPTIONS",
		`Contact: <sip:doctor@${local}${transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`}>`,
		"Accept: application/sdp",
		"User-Agent: Trunkline doctor",
		"Content-Length: 0",
		"",
		"",
	].join("\r\n");
}
