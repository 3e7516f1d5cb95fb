import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const MAGIC = 0x2112a442;
/** RFC 8489 §6.2.1: 500 ms, doubled each time; 7 requests. Fewer here, as a node waits. */
const WAITS_MS = [500, 1_000, 2_000];
const XOR_MAPPED_ADDRESS = 0x0020;

/** The IPv4 address that a STUN server sees this machine at. Rejects when it does not answer within 3.5 s, or what it answers is no answer. */
export async function stunAddress(server: { host: string; port: number }): Promise<string> {
	const transaction = randomBytes(12);
	const request = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), transaction]);
	const socket = createSocket("udp4");
	try {
		const answer = Promise.withResolvers<string>();
		socket.on("error", answer.reject);
		socket.on("message", (message) => {
			const address = mappedAddress(message, transaction);
			if (address !== undefined) answer.resolve(address);
		});
		const late = Promise.withResolvers<never>();
		const send = (tries: number): void => {
			const wait = WAITS_MS[tries];
			if (wait === undefined) return late.reject(new Error(`the STUN server ${server.host}:${server.port} does not answer`));
			socket.send(request, server.port, server.host, (error) => error && answer.reject(error));
			timer = setTimeout(() => send(tries + 1), wait);
		};
		let timer: NodeJS.Timeout | undefined;
		send(0);
		try {
			return await Promise.race([answer.promise, late.promise]);
		} finally {
			clearTimeout(timer);
		}
	} finally {
		socket.close();
	}
}

/** Of a success response to this transaction; undefined for anything else. RFC 8489 §5, §14.2. */
function mappedAddress(message: Buffer, transaction: Buffer): string | undefined {
	if (message.length < 20 || message.readUInt16BE(0) !== 0x0101 || message.readUInt32BE(4) !== MAGIC) return undefined;
	if (!message.subarray(8, 20).equals(transaction)) return undefined;
	for (let at = 20; at + 4 <= message.length; ) {
		const length = message.readUInt16BE(at + 2);
		if (message.readUInt16BE(at) === XOR_MAPPED_ADDRESS && length >= 8 && at + 12 <= message.length && message[at + 5] === 1) {
			const bytes = message.readUInt32BE(at + 8) ^ MAGIC;
			return [24, 16, 8, 0].map((shift) => (bytes >>> shift) & 255).join(".");
		}
		at += 4 + ((length + 3) & ~3);
	}
	return undefined;
}
