/** What stands after `a=`, of the session part and of each media section. The library that reads the rest drops what it does not know. */
export interface Attributes {
	session: readonly string[];
	media: readonly (readonly string[])[];
}

export function attributesOf(text: string): Attributes {
	const session: string[] = [];
	const media: string[][] = [];
	for (const line of text.split(/\r\n|\r|\n/)) {
		if (line.startsWith("m=")) media.push([]);
		else if (line.startsWith("a=")) (media.at(-1) ?? session).push(line.slice(2));
	}
	return { session, media };
}

/** The values of each `a=<name>:<value>`. */
export function valuesOf(attributes: readonly string[], name: string): string[] {
	return attributes.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
}

/** Of the section; where it has none, of the session (RFC 8122 §5, RFC 8839 §5.4, RFC 4145 §4 all let it stand there for all sections). */
export function inherited(section: readonly string[], session: readonly string[], name: string): string[] {
	const own = valuesOf(section, name);
	return own.length > 0 ? own : valuesOf(session, name);
}
