import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** Files of each program that read its environment. Whatever names a variable there is a name that the program knows. */
const SOURCES = {
	node: ["media-node/src/**/*config.ts", "media-node/src/**/settings.ts", "media-node/src/main.ts", "media-node/src/fleet/**/*.ts"],
	functions: ["functions/src/*.ts", "functions/src/{handlers,api,consumers}/*.ts"],
	local: ["packages/local/src/{config,main}.ts", "media-node/src/{sip-config,engine/settings,trace/settings}.ts"],
	cli: ["packages/cli/src/config.ts", "packages/phone/src/cli/options.ts"],
};

/** Keys of schemas (`SIP_PORT: port(5060)`), `environment["SIP_PORT"]`, destructuring, and names in lists of secrets. Type and constant names have other forms. */
export function namesIn(program: keyof typeof SOURCES): Set<string> {
	const files = SOURCES[program]
		.flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
		.filter((file) => !/\.(test|testkit)\.ts$/.test(file));
	const found = files.flatMap((file) => {
		const text = readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
		const constants = new Set([...text.matchAll(/const ([A-Z][A-Z\d_]+)\b/g)].map(([, name = ""]) => name));
		const imported = new Set([...text.matchAll(/import [^;]*?;/gs)].flatMap(([line]) => line.match(/\b[A-Z][A-Z\d_]+\b/g) ?? []));
		// Keys of a schema are names, whatever constants are called.
		const keysOfSchemas = [...text.matchAll(/^\s+([A-Z][A-Z\d]*(?:_[A-Z\d]+)*)\??: (?:z|number|\w+\()/gm)].map(([, name = ""]) => name);
		const names = [
			...text.matchAll(/^\s+([A-Z][A-Z\d]*(?:_[A-Z\d]+)*)\??: /gm),
			...text.matchAll(/\b(?:environment|env|variables)(?:\["|\.)([A-Z][A-Z\d_]+)\b/g),
			...text.matchAll(/"([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)"/g),
			...[...text.matchAll(/\{([^{}]*)\}[^=]*= (?:environment|env|variables)\b/g)].flatMap(([, inner = ""]) => [
				...inner.matchAll(/\b([A-Z][A-Z\d_]+)\b/g),
			]),
			...[...text.matchAll(/\{([^{}]*)\}: Environment\b/g)].flatMap(([, inner = ""]) => [...inner.matchAll(/\b([A-Z][A-Z\d_]+)\b/g)]),
		].map(([, name = ""]) => name);
		return [...keysOfSchemas, ...names.filter((name) => !constants.has(name) && !imported.has(name))];
	});
	return new Set(found);
}
