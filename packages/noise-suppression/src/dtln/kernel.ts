/**
 * One function in WebAssembly, made here byte by byte: y = W·x + b with SIMD, four rows at a time. It is all of the network that is worth it (98 % of
 * its operations); a compiler's toolchain for forty instructions would be more to keep than this file. Relaxed SIMD (fused multiply-add) is used.
 */

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;

/** LEB128 */
function unsigned(value: number): number[] {
	const bytes: number[] = [];
	let rest = value;
	do {
		const low = rest & 0x7f;
		rest >>>= 7;
		bytes.push(rest === 0 ? low : low | 0x80);
	} while (rest !== 0);
	return bytes;
}

function signed(value: number): number[] {
	const bytes: number[] = [];
	let rest = value;
	for (;;) {
		const low = rest & 0x7f;
		rest >>= 7;
		const last = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
		bytes.push(last ? low : low | 0x80);
		if (last) return bytes;
	}
}

const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body];
const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const name = (text: string): number[] => vector([...text].map((character) => [character.charCodeAt(0)]));

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const tee = (local: number): number[] => [0x22, ...unsigned(local)];
const constant = (value: number): number[] => [0x41, ...signed(value)];
const ADD = [0x6a];
const SUB = [0x6b];
const LESS_UNSIGNED = [0x49];
const simd = (opcode: number, ...immediates: number[]): number[] => [0xfd, ...unsigned(opcode), ...immediates];
/** alignment 2^4 is a hint only */
const load = (offset: number): number[] => simd(0x00, 4, ...unsigned(offset));
const store = (): number[] => simd(0x0b, 4, 0);
const ZERO = simd(0x0c, ...new Array<number>(16).fill(0));
const F32X4_ADD = simd(0xe4);
/** a * b + c */
const MADD = simd(0x105);
const shuffle = (...lanes: number[]): number[] => simd(0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)));

// parameters
const [W, X, Y, BIAS, GROUPS, ROW_BYTES] = [0, 1, 2, 3, 4, 5];
// i32 locals: where each of the four rows is, and x with its end
const [R0, R1, R2, R3, AT, END] = [6, 7, 8, 9, 10, 11];
// v128 locals
const [A0, A1, A2, A3, V] = [12, 13, 14, 15, 16];
const ROWS = [
	[R0, A0],
	[R1, A1],
	[R2, A2],
	[R3, A3],
] as const;

const increment = (local: number, by: readonly number[]): number[] => [...get(local), ...by, ...ADD, ...set(local)];

const body: number[] = [
	// do, for each group of four rows
	...[0x03, VOID],
	...[...get(W), ...set(R0)],
	...[...get(R0), ...get(ROW_BYTES), ...ADD, ...set(R1)],
	...[...get(R1), ...get(ROW_BYTES), ...ADD, ...set(R2)],
	...[...get(R2), ...get(ROW_BYTES), ...ADD, ...set(R3)],
	...[...get(X), ...tee(AT), ...get(ROW_BYTES), ...ADD, ...set(END)],
	...ROWS.flatMap(([, sum]) => [...ZERO, ...set(sum)]),
	// do, for each four columns
	...[0x03, VOID],
	...[...get(AT), ...load(0), ...set(V)],
	...ROWS.flatMap(([row, sum]) => [...get(row), ...load(0), ...get(V), ...get(sum), ...MADD, ...set(sum)]),
	...ROWS.flatMap(([row]) => increment(row, constant(16))),
	...[...get(AT), ...constant(16), ...ADD, ...tee(AT), ...get(END), ...LESS_UNSIGNED],
	...[0x0d, 0],
	0x0b,
	// the four sums of each row into one lane: transposed and added
	...[...get(Y)],
	...[...get(A0), ...get(A1), ...shuffle(0, 4, 1, 5)],
	...[...get(A0), ...get(A1), ...shuffle(2, 6, 3, 7), ...F32X4_ADD, ...set(V)],
	...[...get(A2), ...get(A3), ...shuffle(0, 4, 1, 5)],
	...[...get(A2), ...get(A3), ...shuffle(2, 6, 3, 7), ...F32X4_ADD, ...set(A3)],
	...[...get(V), ...get(A3), ...shuffle(0, 1, 4, 5)],
	...[...get(V), ...get(A3), ...shuffle(2, 3, 6, 7), ...F32X4_ADD],
	...[...get(BIAS), ...load(0), ...F32X4_ADD],
	...store(),
	...increment(Y, constant(16)),
	...increment(BIAS, constant(16)),
	// the fourth row is through: the next group begins there
	...[...get(R3), ...set(W)],
	...[...get(GROUPS), ...constant(1), ...SUB, ...tee(GROUPS)],
	...[0x0d, 0],
	0x0b,
	0x0b,
];

const functionBody = [
	...vector([
		[6, I32],
		[5, V128],
	]),
	...body,
];

const MODULE = Uint8Array.from([
	...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
	...section(1, vector([[0x60, ...vector(new Array<number[]>(6).fill([I32])), 0]])),
	...section(2, vector([[...name("e"), ...name("m"), 0x02, 0x00, 1]])),
	...section(3, vector([[0]])),
	...section(7, vector([[...name("f"), 0x00, 0]])),
	...section(10, vector([[...unsigned(functionBody.length), ...functionBody]])),
]);

/** Byte offsets into the memory, all multiples of 16; `groups` = rows / 4; a row is a multiple of 16 bytes. y must not lie in x. */
export type MatrixTimesVector = (weights: number, x: number, y: number, bias: number, groups: number, rowBytes: number) => void;

/** What this needs of `WebAssembly`, which has no types without a browser's or Node's. */
interface Wasm {
	Module: new (bytes: Uint8Array) => object;
	Instance: new (module: object, imports: Record<string, Record<string, unknown>>) => { exports: Record<string, unknown> };
	Memory: new (descriptor: { initial: number }) => { buffer: ArrayBuffer };
}

const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: Wasm };

export interface Kernel {
	memory: ArrayBuffer;
	multiply: MatrixTimesVector;
}

const PAGE_BYTES = 65_536;

/** A memory of at least that many bytes with the function on it. */
export function createKernel(bytes: number): Kernel {
	const memory = new wasm.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
	const { exports } = new wasm.Instance(new wasm.Module(MODULE), { e: { m: memory } });
	return { memory: memory.buffer, multiply: exports["f"] as MatrixTimesVector };
}
