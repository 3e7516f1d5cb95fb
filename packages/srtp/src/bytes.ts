/** Big-endian. The caller has checked the bounds: what is beyond the end reads as 0. */
export function readUint16(bytes: Uint8Array, at: number): number {
	return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function readUint32(bytes: Uint8Array, at: number): number {
	return ((readUint16(bytes, at) << 16) | readUint16(bytes, at + 2)) >>> 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
	bytes[at] = (value >>> 24) & 0xff;
	bytes[at + 1] = (value >>> 16) & 0xff;
	bytes[at + 2] = (value >>> 8) & 0xff;
	bytes[at + 3] = value & 0xff;
}

export function xorUint32(bytes: Uint8Array, at: number, value: number): void {
	writeUint32(bytes, at, readUint32(bytes, at) ^ value);
}

export function xorUint16(bytes: Uint8Array, at: number, value: number): void {
	bytes[at] = (bytes[at] ?? 0) ^ ((value >>> 8) & 0xff);
	bytes[at + 1] = (bytes[at + 1] ?? 0) ^ (value & 0xff);
}

/** Whether the first `length` bytes are alike, in a time that does not tell where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array, length: number): boolean {
	let difference = 0;
	for (let i = 0; i < length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
	return difference === 0;
}
