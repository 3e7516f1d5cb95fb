import { createHash, createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { TurnClient } from "./client.ts";
import { TurnDeframer } from "./deframer.ts";

const ROUNDS = Number(process.env["FUZZ_ROUNDS"] ?? 20_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 8656);
let state = SEED;
function random(below: number): number {
	state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
	return Math.floor((state / 2 ** 32) * below);
}
const bytes = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, () => random(256)));

/** A message whose header is right, and whose attributes are some of TURN's, of any length. */
function message(transaction: Uint8Array): Buffer {
	const types = [0x101, 0x103, 0x104, 0x108, 0x109, 0x113, 0x114, 0x118, 0x119, 0x17, 0x16, 3];
	const kinds = [6, 8, 9, 0x0c, 0x0d, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x19, 0x20, 0x8028];
	const attributes = Array.from({ length: random(6) }, () => {
		const length = random(4) === 0 ? random(64) : ([4, 8, 20, 0][random(4)] ?? 0);
		const head = Buffer.alloc(4);
		head.writeUInt16BE(kinds[random(kinds.length)] ?? 0, 0);
		head.writeUInt16BE(random(20) === 0 ? random(65_536) : length, 2);
		return Buffer.concat([head, bytes(length), Buffer.alloc((4 - (length % 4)) % 4)]);
	});
	const body = Buffer.concat(attributes);
	const header = Buffer.alloc(20);
	header.writeUInt16BE(types[random(types.length)] ?? 0, 0);
	header.writeUInt16BE(body.length, 2);
	header.writeUInt32BE(0x2112a442, 4);
	header.set(transaction, 8);
	return Buffer.concat([header, body]);
}

it(`whatever a server sends, a client does not throw, and allocates nothing by it (seed ${SEED})`, () => {
	for (let round = 0; round < ROUNDS / 20; round++) {
		let now = 0;
		let transaction: Uint8Array = bytes(12);
		const client = new TurnClient({
			...{ username: "user", password: "password", isStream: round % 2 === 0, family: 4 },
			random: (length) => (transaction = bytes(length)),
			hmacSha1: (key) => (head, tail) => createHmac("sha1", key).update(head).update(tail).digest(),
			md5: (secret) => createHash("md5").update(secret).digest(),
			onData: () => expect.unreachable("there is no permission"),
		});
		client.start(now);
		for (let i = 0; i < 20; i++) {
			now += random(1_000);
			client.receive(random(4) === 0 ? bytes(random(60)) : message(random(4) === 0 ? bytes(12) : transaction), now);
			client.tick(now);
			for (let output = client.poll(); output !== undefined; output = client.poll()) expect(output.kind).not.toBe("allocated");
		}
	}
});

it(`frames come out of a stream as they went in, however it is cut (seed ${SEED})`, () => {
	for (let round = 0; round < ROUNDS / 20; round++) {
		const frames = Array.from({ length: 5 }, () => {
			if (random(2) === 0) return message(bytes(12));
			const data = bytes(random(200));
			const head = Buffer.from([0x40 + random(16), random(256), 0, 0]);
			head.writeUInt16BE(data.length, 2);
			return Buffer.concat([head, data]);
		});
		const stream = Buffer.concat(frames.flatMap((frame) => [frame, Buffer.alloc((4 - (frame.length % 4)) % 4)]));
		const deframer = new TurnDeframer();
		const out: string[] = [];
		for (let at = 0; at < stream.length; ) {
			const end = at + 1 + random(150);
			for (const frame of deframer.take(stream.subarray(at, end)) ?? []) out.push(Buffer.from(frame).toString("hex"));
			at = end;
		}
		expect(out).toEqual(frames.map((frame) => frame.toString("hex")));
	}
});

it("a stream that is no TURN is told, once and for all", () => {
	const deframer = new TurnDeframer();
	expect(deframer.take(Buffer.from("HTTP/1.1 400 Bad Request\r\n"))).toBeDefined();
	expect(new TurnDeframer().take(Buffer.from([0x80, 0, 0, 0]))).toBeUndefined();
	expect(new TurnDeframer().take(Buffer.from([0, 1, 0, 3]))).toBeUndefined();
});
