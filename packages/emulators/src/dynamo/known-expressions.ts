import conditionParser from "dynalite/db/conditionParser.js";
import projectionParser from "dynalite/db/projectionParser.js";
import updateParser from "dynalite/db/updateParser.js";

type Values = Record<string, Record<string, unknown>>;

/** As many as there are kinds of requests in a program, and some more. */
const KEPT = 2_000;
/** What is said of these depends on the values, not only on their types. */
const TOLD_BY_VALUE = /between|attribute_type/i;
const PLACEHOLDERS = /[#:][A-Za-z0-9_]+/g;

/** In the place of a value of `ExpressionAttributeValues`. */
class Placeholder {
	readonly name: string;

	constructor(name: string) {
		this.name = name;
	}
}

let known = false;

/**
 * dynalite parses the expressions of each request with a grammar, which costs more than the request. A program sends the same ones again and again: what an
 * expression means with these names, and values of these types, is kept, and a request gets a copy with its own values. Refusals are not kept.
 */
export function knowExpressions(): void {
	if (known) return;
	known = true;
	for (const parser of [conditionParser, projectionParser, updateParser]) parser.parse = keeping(parser.parse);
}

/** A parser that parses each expression once for each kind of values. */
export function keeping(parse: dynalite.Parser["parse"]): dynalite.Parser["parse"] {
	const kept = new Map<string, { result: unknown; used: readonly string[] }>();
	return (expression, options) => {
		const { context } = options;
		const used = expression.match(PLACEHOLDERS) ?? [];
		const key = keyOf(expression, used, context);
		if (key === undefined) return parse(expression, options);
		const found = kept.get(key);
		if (found !== undefined) {
			for (const name of found.used) delete (name.startsWith("#") ? context.unusedAttrNames : context.unusedAttrVals)[name];
			return filled(found.result, context.attrVals ?? {});
		}
		const result = parse(expression, options);
		// a string is a refusal
		if (typeof result === "string") return result;
		const names = namesOf(used, context.attrVals ?? {});
		// One object under two names: which of them is meant where can't be seen.
		if (names.size < new Set(used.filter(isValue)).size) return result;
		if (kept.size >= KEPT) kept.clear();
		kept.set(key, { result: emptied(result, names), used });
		return result;
	};
}

/** undefined where something is missing, or the values themselves count. */
function keyOf(expression: string, used: readonly string[], { attrNames, attrVals, isKeyCondition }: dynalite.ParserContext) {
	if (TOLD_BY_VALUE.test(expression)) return undefined;
	let key = `${isKeyCondition === true}\n${expression}`;
	for (const name of used) {
		const meaning = name.startsWith("#") ? attrNames?.[name] : typeOf(attrVals?.[name]);
		if (meaning === undefined) return undefined;
		// With its length: an attribute's name may have any character.
		key += `\n${meaning.length}:${meaning}`;
	}
	return key;
}

function typeOf(value: Record<string, unknown> | undefined): string | undefined {
	for (const type in value) return type;
	return undefined;
}

const namesOf = (used: readonly string[], values: Values): Map<unknown, string> =>
	new Map(used.filter(isValue).map((name) => [values[name], name]));

const isValue = (name: string): boolean => name.startsWith(":");

/** A copy without the values, which the parser puts in as the objects that they are. */
function emptied(node: unknown, names: ReadonlyMap<unknown, string>): unknown {
	if (typeof node !== "object" || node === null) return node;
	const name = names.get(node);
	if (name !== undefined) return new Placeholder(name);
	if (Array.isArray(node)) return node.map((member) => emptied(member, names));
	return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, emptied(member, names)]));
}

/** A copy with these values. */
function filled(node: unknown, values: Values): unknown {
	if (typeof node !== "object" || node === null) return node;
	if (node instanceof Placeholder) return values[node.name];
	if (Array.isArray(node)) {
		const copy: unknown[] = [];
		for (const member of node) copy.push(filled(member, values));
		return copy;
	}
	const copy: Record<string, unknown> = {};
	for (const key in node) copy[key] = filled((node as Record<string, unknown>)[key], values);
	return copy;
}
