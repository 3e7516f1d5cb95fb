import { createSocket } from "node:dgram";
import type { DnsAnswer, DnsType } from "@trunkline/sip";

const TYPES: Readonly<Record<number, DnsType>> = { 1: "A", 28: "AAAA", 33: "SRV", 35: "NAPTR" };
const NXDOMAIN = 3;

export type DnsZone = Readonly<Record<string, Omit<DnsAnswer, "ttl"> | "silent">>;

/**
 * A name server on loopback that knows what `zone` says (keys as `questionKey` writes them: "SRV _sip._udp.carrier.example"); "silent" in the place of
 * an answer = the question gets none. `asked` lists the questions in order.
 */
export class DnsServer {
	readonly asked: string[] = [];
	readonly address: string;
	readonly #socket: ReturnType<typeof createSocket>;

	static async start(zone: DnsZone, ttlSeconds = 60): Promise<DnsServer> {
		const socket = createSocket("udp4");
		await new Promise<void>((resolve, reject) => {
			socket.once("error", reject);
			socket.bind(0, "127.0.0.1", resolve);
		});
		return new DnsServer(socket, zone, ttlSeconds);
	}

	private constructor(socket: ReturnType<typeof createSocket>, zone: DnsZone, ttlSeconds: number) {
		this.#socket = socket;
		this.address = `127.0.0.1:${socket.address().port}`;
		socket.on("message", (query, from) => {
			const { name, type, end } = readQuestion(query);
			const known = type === undefined ? undefined : `${type} ${name.toLowerCase()}`;
			this.asked.push(known ?? name);
			const answer = known === undefined ? undefined : zone[known];
			if (answer === "silent") return;
			socket.send(writeAnswer(query.subarray(0, end), answer, ttlSeconds), from.port, from.address);
		});
	}

	close(): Promise<void> {
		return new Promise((resolve) => this.#socket.close(() => resolve()));
	}
}

/** RFC 1035 §4.1: header of 12 bytes, then one question. */
function readQuestion(query: Buffer): { name: string; type: DnsType | undefined; end: number } {
	const labels: string[] = [];
	let at = 12;
	for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
		labels.push(query.toString("latin1", at + 1, at + 1 + length));
		at += 1 + length;
	}
	return { name: labels.join("."), type: TYPES[query.readUInt16BE(at + 1)], end: at + 5 };
}

function writeAnswer(question: Buffer, answer: Omit<DnsAnswer, "ttl"> | undefined, ttlSeconds: number): Buffer {
	const data = [
		...(answer?.addresses ?? []).map((address) => [address.includes(":") ? 28 : 1, addressBytes(address)] as const),
		...(answer?.srv ?? []).map((one) => [33, Buffer.concat([shorts(one.priority, one.weight, one.port), nameBytes(one.name)])] as const),
		...(answer?.naptr ?? []).map(
			(one) =>
				[
					35,
					Buffer.concat([
						shorts(one.order, one.preference),
						...[one.flags, one.service, ""].map((text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")])),
						nameBytes(one.replacement),
					]),
				] as const,
		),
	];
	const header = Buffer.from(question.subarray(0, 12));
	// response, recursion desired and available; no such name when the zone does not have it
	header.writeUInt16BE(0x8180 | (answer === undefined ? NXDOMAIN : 0), 2);
	header.writeUInt16BE(1, 4);
	header.writeUInt16BE(data.length, 6);
	header.writeUInt32BE(0, 8);
	const records = data.map(([type, bytes]) => {
		const ttl = Buffer.alloc(4);
		ttl.writeUInt32BE(ttlSeconds);
		// RFC 1035 §4.1.4: 0xc00c points to the name of the question
		return Buffer.concat([shorts(0xc00c, type, 1), ttl, shorts(bytes.length), bytes]);
	});
	return Buffer.concat([header, question.subarray(12), ...records]);
}

function addressBytes(address: string): Buffer {
	if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
	const [left = "", right = ""] = address.split("::");
	const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
	const zeros = new Array<string>(8 - groups(left).length - groups(right).length).fill("0");
	return shorts(...[...groups(left), ...zeros, ...groups(right)].map((group) => Number.parseInt(group, 16)));
}

function nameBytes(name: string): Buffer {
	const labels = name.split(".").filter((label) => label !== "");
	return Buffer.concat([
		...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")])),
		Buffer.from([0]),
	]);
}

function shorts(...numbers: number[]): Buffer {
	const bytes = Buffer.alloc(numbers.length * 2);
	for (const [i, number] of numbers.entries()) bytes.writeUInt16BE(number, i * 2);
	return bytes;
}
