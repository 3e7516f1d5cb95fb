import fc from "fast-check";

/** What parsers trip over: delimiters, ends of lines, escapes, numbers at the edge. */
const TOKENS = [
	...[
		"\r\n",
		"\r",
		"\n",
		"\r\n\r\n",
		"\r\n ",
		"\t",
		" ",
		",",
		";",
		"=",
		"<",
		">",
		'"',
		"\\",
		"\\\0",
		"%",
		"%0d%0a",
		"%00",
		"@",
		":",
		"::",
		"[",
		"]",
		"/",
		"?",
	],
	...[
		"0",
		"-1",
		"4294967296",
		"18446744073709551616",
		"99999999999999999999999999",
		"1e9",
		"0x10",
		"\0",
		"\u007f",
		"\u00ff",
		"é",
		"\ud83d\ude00",
	],
	...[
		"sip:",
		"sips:",
		"tel:",
		"SIP/2.0",
		"z9hG4bK",
		"tag=",
		"branch=",
		"rport",
		"received=",
		"lr",
		"*",
		"INVITE",
		"Content-Length: 9999999999\r\n",
	],
	...[
		"constructor",
		"__proto__",
		"toString",
		"((((((((((",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		",,,,,,,,,,,,",
		";;;;;;;;;;;;",
		'""""""""""',
	],
];

interface Edit {
	at: number;
	cut: number;
	put: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
	at: fc.nat(4_000),
	cut: fc.oneof(fc.constant(0), fc.nat(4), fc.nat(40)),
	put: fc.oneof(fc.constant(""), fc.constantFrom(...TOKENS), fc.string({ maxLength: 6, unit: "binary" })),
});

/** One of the seeds with some edits, now and then something that has nothing to do with them. */
export function textLike(...seeds: string[]): fc.Arbitrary<string> {
	const edited = fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 5 })).map(([seed, edits]) =>
		edits.reduce((text, { at, cut, put }) => {
			const from = at % (text.length + 1);
			return text.slice(0, from) + put + text.slice(from + cut);
		}, seed),
	);
	return fc.oneof({ weight: 9, arbitrary: edited }, { weight: 1, arbitrary: fc.string({ maxLength: 60, unit: "binary" }) });
}

/** The same for bytes. */
export function bytesLike(...seeds: Uint8Array[]): fc.Arbitrary<Uint8Array> {
	const change = fc.tuple(fc.nat(2_000), fc.nat(255));
	const changed = fc.tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 6 }), fc.nat(2_000)).map(([seed, changes, length]) => {
		const bytes = Uint8Array.from(seed);
		for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
		return length < bytes.length && length % 3 === 0 ? bytes.subarray(0, length) : bytes;
	});
	return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) });
}

const encoder = new TextEncoder();
export const utf8 = (text: string): Uint8Array => encoder.encode(text);
