/**
 * A SIP dialogue as text: what the other side sends, what must be sent to it, and what happens beside the signalling. Sections are separated by empty lines:
 *
 *     title: inbound call                     first section: fields
 *     > INVITE sip:+15550100@192.0.2.10 SIP/2.0   sent to us; `{name}` is what was caught before; Content-Length is added
 *     < SIP/2.0 200 OK                        must come from us next: the first line, these headers at least, these body lines at least
 *     < Contact: <sip:{contact}>              `{name}` catches, and must be the same wherever it is again; `*` is anything
 *     < -Require                              no such header
 *     @ wait 500                              for whoever plays the dialogue
 */
export interface Dialogue {
	fields: Readonly<Record<string, string>>;
	steps: readonly DialogueStep[];
}

export interface DialogueStep {
	kind: "send" | "expect" | "do";
	/** in the file, for messages */
	line: number;
	/** without what marks them; of `do` exactly one */
	lines: readonly string[];
}

const KINDS: Readonly<Record<string, DialogueStep["kind"]>> = { ">": "send", "<": "expect", "@": "do" };

/** Throws on a line that is none of the above. */
export function parseDialogue(text: string): Dialogue {
	const fields: Record<string, string> = {};
	const steps: { kind: DialogueStep["kind"]; line: number; lines: string[] }[] = [];
	let open = false;
	for (const [index, line] of text.split("\n").entries()) {
		const kind = KINDS[line.charAt(0)];
		if (line.trim() === "" || line.startsWith("#")) {
			open = false;
		} else if (kind === undefined) {
			const [, name, value] = /^(\w+): (.*)$/.exec(line) ?? [];
			if (name === undefined || steps.length > 0) throw new Error(`line ${index + 1} is neither > nor < nor @: ${line}`);
			fields[name] = value ?? "";
		} else {
			const last = steps.at(-1);
			const content = line.slice(1).replace(/^ /, "");
			if (open && last?.kind === kind && kind !== "do") last.lines.push(content);
			else steps.push({ kind, line: index + 1, lines: [content] });
			open = true;
		}
	}
	return { fields, steps };
}

/** What `{name}` stands for, from one message to the next. */
export class DialogueTerms {
	readonly #known = new Map<string, string>();

	/** The message of a `send` step. Throws on a name that nothing was caught for. */
	message({ lines }: DialogueStep): Uint8Array {
		const end = lines.indexOf("");
		const head = (end < 0 ? lines : lines.slice(0, end)).map((line) => this.#filled(line));
		const body =
			end < 0
				? ""
				: lines
						.slice(end + 1)
						.map((line) => `${this.#filled(line)}\r\n`)
						.join("");
		return new TextEncoder().encode(`${[...head, `Content-Length: ${new TextEncoder().encode(body).length}`].join("\r\n")}\r\n\r\n${body}`);
	}

	/** What is wrong with a message of ours, as an `expect` step has it; nothing = none. */
	problems({ lines }: DialogueStep, text: string): string[] {
		const [head = "", body = ""] = text.split("\r\n\r\n", 2);
		const [first = "", ...headers] = head.split("\r\n");
		const end = lines.indexOf("");
		const [wantedFirst = "", ...wanted] = end < 0 ? lines : lines.slice(0, end);
		const problems = this.#matches(wantedFirst, first) ? [] : [`first line is ${first}, not ${wantedFirst}`];
		for (const expected of wanted) {
			if (expected.startsWith("-")) {
				if (headers.some((header) => nameOf(header) === expected.slice(1).toLowerCase()))
					problems.push(`there is a header ${expected.slice(1)}`);
				continue;
			}
			const named = headers.filter((header) => nameOf(header) === nameOf(expected));
			const value = expected.slice(expected.indexOf(":") + 1).trim();
			if (!named.some((header) => this.#matches(value, header.slice(header.indexOf(":") + 1).trim())))
				problems.push(`no header ${expected}; there is ${named.length === 0 ? "none of that name" : named.join(" and ")}`);
		}
		const bodyLines = body.split("\r\n");
		for (const expected of end < 0 ? [] : lines.slice(end + 1)) {
			if (!bodyLines.some((line) => this.#matches(expected, line))) problems.push(`no line ${expected} in the body`);
		}
		return problems;
	}

	#filled(line: string): string {
		return line.replace(/\{(\w+)\}/g, (_all, name: string) => {
			const value = this.#known.get(name);
			if (value === undefined) throw new Error(`nothing was caught for {${name}}: ${line}`);
			return value;
		});
	}

	#matches(pattern: string, text: string): boolean {
		const caught: string[] = [];
		const source = pattern.split(/(\{\w+\}|\*)/).map((part) => {
			if (part === "*") return ".*";
			const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
			if (name === undefined) return escaped(part);
			const known = this.#known.get(name);
			if (known !== undefined) return escaped(known);
			caught.push(name);
			return '([^\\s;,<>"]+)';
		});
		const match = new RegExp(`^${source.join("")}$`).exec(text);
		for (const [index, name] of caught.entries()) {
			const value = match?.[index + 1];
			if (value !== undefined) this.#known.set(name, value);
		}
		return match !== null;
	}
}

function nameOf(header: string): string {
	return header.slice(0, header.indexOf(":")).trim().toLowerCase();
}

function escaped(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
