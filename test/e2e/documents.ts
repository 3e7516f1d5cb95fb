/** A fenced block of a document: what it is written in, and what else its first line says. */
export interface Block {
	language: string;
	info: string;
	text: string;
}

export interface Section {
	title: string;
	blocks: Block[];
}

/** The sections (`##`) of a document with their blocks; what comes before the first has no title. */
export function sectionsOf(markdown: string): Section[] {
	const sections: Section[] = [{ title: "", blocks: [] }];
	for (const [, title, language, info, text] of markdown.matchAll(/^## (.+)$|^```(\w+)[ \t]*(.*)\n([^]*?)^```$/gm)) {
		if (title !== undefined) sections.push({ title, blocks: [] });
		else sections.at(-1)?.blocks.push({ language: language ?? "", info: info ?? "", text: text ?? "" });
	}
	return sections;
}

/** The lines of a block of shell; a line that ends with \ goes on. Comments are none. */
export const commandsOf = ({ text }: Block): string[] =>
	text
		.replace(/\\\n\s*/g, "")
		.split("\n")
		.map((line) => line.replace(/\s+#.*$/, "").trim())
		.filter((line) => line !== "" && !line.startsWith("#"));

/** As a shell splits them, as far as documents go; what is in front of the command is its environment. */
export function words(line: string): { env: Record<string, string>; argv: string[] } {
	const all = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? "");
	const first = all.findIndex((word) => !/^[A-Z_]+=/.test(word));
	const env = Object.fromEntries(all.slice(0, first).map((word) => word.split(/=(.*)/s).slice(0, 2) as [string, string]));
	return { env, argv: all.slice(first) };
}

/** What a document says that is printed; … stands for anything in a line. `all`: and nothing else. */
export function printed(text: string, all = false): RegExp {
	const lines = text
		.trimEnd()
		.split("…")
		.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
		.join(".*");
	return new RegExp(all ? `^${lines}\\s*$` : lines);
}
