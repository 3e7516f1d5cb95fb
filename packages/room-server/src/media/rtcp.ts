/** What a receiver of video asks of its sender (RFC 4585, RFC 5104). */
export type Feedback = { kind: "keyFrame"; ssrc: number } | { kind: "lost"; ssrc: number; sequences: number[] };

const RECEIVER_REPORT = 201;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;
/** most sequence numbers read of one compound packet */
const MAX_LOST = 256;

/** Reads PLI, FIR and NACK out of a compound packet; what is broken ends the reading, what else is in it is passed over. */
export function readFeedback(compound: Uint8Array): Feedback[] {
	const feedback: Feedback[] = [];
	const bytes = Buffer.from(compound.buffer, compound.byteOffset, compound.length);
	let lost = 0;
	for (let at = 0; at + 12 <= bytes.length; ) {
		const end = at + 4 + bytes.readUInt16BE(at + 2) * 4;
		if (end > bytes.length) break;
		const format = bytes.readUInt8(at) & 0x1f;
		const type = bytes.readUInt8(at + 1);
		const ssrc = bytes.readUInt32BE(at + 8);
		// RFC 4585 §6.3.1: PLI
		if (type === PAYLOAD_FEEDBACK && format === 1) feedback.push({ kind: "keyFrame", ssrc });
		// RFC 5104 §4.3.1: FIR names its streams in entries of 8 bytes
		else if (type === PAYLOAD_FEEDBACK && format === 4) {
			for (let entry = at + 12; entry + 8 <= end; entry += 8) feedback.push({ kind: "keyFrame", ssrc: bytes.readUInt32BE(entry) });
		} else if (type === TRANSPORT_FEEDBACK && format === 1) {
			const sequences: number[] = [];
			// RFC 4585 §6.2.1: a sequence number, and a bit for each of the 16 after it
			for (let entry = at + 12; entry + 4 <= end && lost < MAX_LOST; entry += 4) {
				const first = bytes.readUInt16BE(entry);
				const more = bytes.readUInt16BE(entry + 2);
				for (let i = 0; i <= 16; i++) if (i === 0 || (more & (1 << (i - 1))) !== 0) sequences.push((first + i) & 0xffff);
				lost += 17;
			}
			feedback.push({ kind: "lost", ssrc, sequences });
		}
		at = end;
	}
	return feedback;
}

/** RFC 4585 §6.3.1 */
export function pictureLoss(sender: number, media: number): Buffer {
	return Buffer.concat([header(1, PAYLOAD_FEEDBACK, 2), words(sender, media)]);
}

/** RFC 4585 §6.2.1, one entry for each sequence number */
export function nack(sender: number, media: number, sequences: readonly number[]): Buffer {
	return Buffer.concat([
		header(1, TRANSPORT_FEEDBACK, 2 + sequences.length),
		words(sender, media),
		...sequences.map((sequence) => words(sequence * 0x10000)),
	]);
}

/** A receiver report (RFC 3550 §6.4.2) and the most bits per second that the sender may send (REMB, draft-alvestrand-rmcat-remb-03 §2.2). */
export function reportWithLimit(
	sender: number,
	media: number,
	reception: { fractionLost: number; lost: number; highest: number },
	bitsPerSecond: number,
): Buffer {
	let exponent = 0;
	while (bitsPerSecond / 2 ** exponent >= 2 ** 18) exponent++;
	const mantissa = Math.floor(bitsPerSecond / 2 ** exponent);
	return Buffer.concat([
		header(1, RECEIVER_REPORT, 7),
		words(sender, media, reception.fractionLost * 0x100_0000 + (reception.lost & 0x7f_ffff), reception.highest, 0, 0, 0),
		header(15, PAYLOAD_FEEDBACK, 5),
		words(sender, 0),
		Buffer.from("REMB"),
		words(0x100_0000 + exponent * 0x4_0000 + mantissa, media),
	]);
}

/** `length` in words that follow */
function header(count: number, type: number, length: number): Buffer {
	return Buffer.from([0x80 | count, type, length >> 8, length & 0xff]);
}

function words(...values: number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4));
	return bytes;
}
