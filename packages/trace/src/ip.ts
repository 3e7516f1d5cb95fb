/** Four bytes; what is no address is 0.0.0.0. */
export function parseIpv4(text: string): Uint8Array {
	const parts = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text.split(".").map(Number) : [];
	return parts.length === 4 && parts.every((part) => part <= 255) ? Uint8Array.from(parts) : new Uint8Array(4);
}

/** Sixteen bytes, also of an IPv4 address (RFC 4291 §2.5.5.2: mapped); what is no address is ::. */
export function parseIpv6(text: string): Uint8Array {
	const bytes = new Uint8Array(16);
	// A zone (RFC 4007) means something on the machine that it is of alone.
	const address = text.replace(/%.*$/, "");
	const dotted = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
	if (!address.includes(":")) {
		if (dotted === undefined) return bytes;
		bytes.set([0xff, 0xff, ...parseIpv4(dotted)], 10);
		return bytes;
	}
	const tail = dotted === undefined ? [] : [...parseIpv4(dotted)];
	const rest = dotted === undefined ? address : address.slice(0, -dotted.length).replace(/([^:]):$/, "$1");
	const [head = "", end = "", ...more] = rest.split("::");
	const before = groups(head);
	const after = [...(groups(end) ?? []), ...tail];
	if (before === undefined || groups(end) === undefined || more.length > 0 || before.length + after.length > 16) return bytes;
	bytes.set(before, 0);
	bytes.set(after, 16 - after.length);
	return bytes;
}

/** The bytes of groups of four hex digits; undefined when they are none. */
function groups(text: string): number[] | undefined {
	if (text === "") return [];
	const parts = text.split(":");
	if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
	return parts.flatMap((part) => {
		const value = Number.parseInt(part, 16);
		return [value >> 8, value & 255];
	});
}
