/** Where words go: results to standard output, everything else to standard error. */
export interface Output {
	json: boolean;
	result(value: unknown, text: () => string): void;
	note(line: string): void;
	/** shows that something goes on, until the returned function is called; within another one it shows nothing */
	progress(what: string): () => void;
}

export interface Streams {
	out(text: string): void;
	err(text: string): void;
	/** a person looks at standard error */
	isTerminal: boolean;
	/** of that terminal */
	columns?: number | undefined;
}

const PROGRESS_AFTER_MS = 1_000;
const PROGRESS_EVERY_MS = 1_000;

export function output(streams: Streams, json: boolean): Output {
	let isBusy = false;
	return {
		json,
		result: (value, text) => streams.out(json ? `${JSON.stringify(value, undefined, 2)}\n` : ending(text())),
		note: (line) => {
			if (!json) streams.err(`${line}\n`);
		},
		progress: (what) => {
			if (isBusy) return () => {};
			isBusy = true;
			const began = Date.now();
			let shown = "";
			const show = (): void => {
				const seconds = Math.round((Date.now() - began) / 1000);
				// A line that wraps is not overwritten by the next one.
				const line = `${clean(what)} … ${seconds} s`.slice(0, (streams.columns || 80) - 1);
				if (streams.isTerminal) streams.err(`\r${line}`);
				else if (shown === "") streams.err(`${clean(what)} …\n`);
				shown = line;
			};
			let timer = setTimeout(function again() {
				show();
				timer = setTimeout(again, PROGRESS_EVERY_MS);
			}, PROGRESS_AFTER_MS);
			return () => {
				isBusy = false;
				clearTimeout(timer);
				if (shown !== "" && streams.isTerminal) streams.err(`\r${" ".repeat(shown.length)}\r`);
			};
		},
	};
}

const ending = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** Columns as wide as what is in them; `none` stands where there are no rows. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], none: string): string {
	if (rows.length === 0) return none;
	const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => clean(row[at] ?? "").length)));
	const line = (cells: readonly string[]): string =>
		cells
			.map((cell, at) => clean(cell).padEnd(widths[at] ?? 0))
			.join("  ")
			.trimEnd();
	return [line(heads), ...rows.map(line)].join("\n");
}

/** What strangers sent must not drive the terminal, nor turn its lines around (the controls of bidirectional text). */
export function clean(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "?");
}

/** Local time of day with its date. */
export function when(ms: number): string {
	const date = new Date(ms);
	const two = (value: number): string => String(value).padStart(2, "0");
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
