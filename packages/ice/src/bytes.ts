export function readUint16(bytes: Uint8Array, at: number): number {
	return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function readUint32(bytes: Uint8Array, at: number): number {
	return readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
	bytes[at] = value >>> 8;
	bytes[at + 1] = value;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
	writeUint16(bytes, at, value >>> 16);
	writeUint16(bytes, at + 2, value & 0xffff);
}

/** User fragments and passwords are ASCII (RFC 8839 §5.4); what is not comes out as something that equals none of them. */
export function ascii(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += String.fromCharCode(byte);
	return text;
}

export function asciiBytes(text: string): Uint8Array {
	return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function utf8Bytes(text: string): Uint8Array {
	const bytes: number[] = [];
	for (const character of text.toWellFormed()) {
		const code = character.codePointAt(0) ?? 0;
		if (code < 0x80) bytes.push(code);
		else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
		else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
		else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
	}
	return Uint8Array.from(bytes);
}

/** In a time that does not tell where the difference is. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	let difference = 0;
	for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
	return difference === 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
	let value = n;
	for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
	return value;
});

/** ITU V.42, as FINGERPRINT has it (RFC 8489 §14.7) */
export function crc32(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
	return (crc ^ 0xffffffff) >>> 0;
}

/** An IP literal as bytes; a zone of IPv6 is left out. */
export function addressBytes(address: string): Uint8Array {
	return address.includes(":") ? ipv6Bytes(address) : Uint8Array.from(address.split("."), Number);
}

/** The IP literal of 4 or 16 bytes; of IPv6 all groups. */
export function addressText(bytes: Uint8Array): string {
	if (bytes.length === 4) return bytes.join(".");
	return Array.from({ length: 8 }, (_, group) => readUint16(bytes, group * 2).toString(16)).join(":");
}

function ipv6Bytes(address: string): Uint8Array {
	const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
	const groups = (part: string): number[] => (part === "" ? [] : part.split(":").flatMap(groupsOf));
	const front = groups(head);
	const back = tail === undefined ? [] : groups(tail);
	const all = [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
	const bytes = new Uint8Array(16);
	for (let i = 0; i < 8; i++) writeUint16(bytes, i * 2, (all[i] ?? 0) & 0xffff);
	return bytes;
}

/** An IPv4 tail is two groups (RFC 4291 §2.2). */
function groupsOf(text: string): number[] {
	if (!text.includes(".")) return [Number.parseInt(text, 16)];
	const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
	return [a * 256 + b, c * 256 + d];
}
