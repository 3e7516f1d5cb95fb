// Checks what no compiler sees: that documents and committed files keep up with the code. Arguments: [root of the tree to check].
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "..");
const findings = [];
const files = ownFiles();
const read = (file) => readFileSync(join(root, file), "utf8");
const document = (file) => (existsSync(join(root, file)) ? read(file) : "");

rfcCitations();
dependencyLines();
nothingOfThisMachine();
lockFile();
links();

for (const finding of findings) process.stdout.write(`${finding}\n`);
if (files.length === 0) process.stdout.write("no files found to check\n");
process.exitCode = findings.length === 0 && files.length > 0 ? 0 : 1;

/** Committed files and new ones that are not ignored; without git (a downloaded archive) everything but what is installed or built. */
function ownFiles() {
	let names;
	try {
		names = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
			cwd: root,
			encoding: "utf8",
			stdio: ["ignore", "pipe", "ignore"],
		}).split("\0");
	} catch {
		names = readdirSync(root, { recursive: true }).map((file) => file.replaceAll("\\", "/"));
		names = names.filter((file) => !/(^|\/)(node_modules|\.git|dist|coverage|\.trunkline|\.sst)\//.test(file));
	}
	return [...new Set(names)]
		.filter((file) =>
			/\.(ts|mts|mjs|cjs|js|json|md|html|css|yml|yaml|sh|txt|toml)$|(^|\/)(Dockerfile|\.npmrc|run|LICENSE|\.gitignore)$/.test(file),
		)
		.filter((file) => {
			const stats = statSync(join(root, file), { throwIfNoEntry: false });
			return stats?.isFile() && !file.startsWith("test/architecture/fixture/");
		});
}

/** Each RFC that a source or document names has a row in docs/rfc.md: its title, what we use it for. */
function rfcCitations() {
	const rows = new Map(
		[...document("docs/rfc.md").matchAll(/^\| *(?:RFC )?(\d{1,5}) *\|([^|]+)\|([^|]+)\|/gm)].map(([, number, title, use]) => [
			number,
			title.trim() && use.trim(),
		]),
	);
	for (const [number, complete] of rows) if (!complete) findings.push(`docs/rfc.md: RFC ${number} needs a title and what it is used for`);
	for (const file of files) {
		if (file === "docs/rfc.md" || file === "package-lock.json") continue;
		// Also in lists: one "RFC", then numbers with commas, "and" or a slash between them.
		read(file)
			.split("\n")
			.forEach((line, index) => {
				for (const [, numbers] of line.matchAll(/\bRFCs?[ -]?(\d{3,5}(?:(?:,| and|, and|\/) ?\d{4}(?!\d))*)/g)) {
					for (const number of numbers.match(/\d{3,5}/g)) {
						if (!rows.has(number))
							findings.push(`${file}:${index + 1}: RFC ${number} is not in docs/rfc.md (wrong number, or add its title and use)`);
					}
				}
			});
	}
}

/** Each dependency of any package.json has a line in docs/dependencies.md: what for, why this one, licence. */
function dependencyLines() {
	const rows = new Map(
		[...document("docs/dependencies.md").matchAll(/^\| *`([^`]+)` *\|(.*)\|$/gm)].map(([, name, cells]) => [
			name,
			cells.split("|").map((cell) => cell.trim()),
		]),
	);
	const used = new Set();
	for (const file of files.filter((name) => /(^|\/)package\.json$/.test(name))) {
		const manifest = JSON.parse(read(file));
		for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
			for (const name of Object.keys(manifest[kind] ?? {})) {
				if (name.startsWith("@trunkline/")) continue;
				used.add(name);
				const cells = rows.get(name);
				if (cells === undefined) findings.push(`${file}: ${name} has no line in docs/dependencies.md`);
				else if (cells.length < 3 || cells.some((cell) => cell === ""))
					findings.push(`docs/dependencies.md: ${name} needs what it is for, why this one and its licence`);
			}
		}
	}
	for (const name of rows.keys()) if (!used.has(name)) findings.push(`docs/dependencies.md: no package.json names ${name}`);
}

/** A clone works anywhere: no folder of whoever wrote it, no package registry of theirs. */
function nothingOfThisMachine() {
	const path = /(?<![\w.$}-])\/(?:work|root|tmp|home\/\w+|Users\/\w+)\/[\w.-]/;
	const registry = /https?:\/\/[\w.-]*(?:registry|artifactory|nexus|verdaccio|pypi|npm-proxy)[\w.-]*[.:][\w-]+/i;
	for (const file of files) {
		if (file === "package-lock.json") continue;
		read(file)
			.split("\n")
			.forEach((line, index) => {
				const found = path.exec(line) ?? registry.exec(line);
				if (found) findings.push(`${file}:${index + 1}: names a place that others do not have: ${found[0]}`);
			});
	}
	if (/^\s*(@[^:]+:)?registry\s*=|_auth/m.test(document(".npmrc"))) findings.push(".npmrc: names a registry or a credential");
}

/** Every machine fetches from its own registry; the integrity hashes say that it is the same code (.npmrc: omit-lockfile-registry-resolved). */
function lockFile() {
	if (!existsSync(join(root, "package-lock.json"))) return;
	for (const [path, { resolved, integrity, link, inBundle }] of Object.entries(JSON.parse(read("package-lock.json")).packages)) {
		if (resolved !== undefined && link !== true) findings.push(`package-lock.json: ${path} is tied to ${resolved}`);
		if (path.includes("node_modules/") && link !== true && !inBundle && integrity === undefined)
			findings.push(`package-lock.json: ${path} has no integrity hash`);
	}
}

/** Links between documents lead somewhere. */
function links() {
	for (const file of files.filter((name) => name.endsWith(".md"))) {
		for (const [, target] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
			if (/^[a-z]+:/.test(target)) continue;
			const [to, heading] = decodeURIComponent(target).split("#");
			const path = to === "" ? file : normalize(join(dirname(file), to));
			if (!existsSync(join(root, path))) findings.push(`${file}: link to ${target}, which is not there`);
			else if (heading && path.endsWith(".md") && !headingsOf(path).has(heading))
				findings.push(`${file}: link to ${target}, and ${path} has no such heading`);
		}
	}
}

/** As GitHub names them in links. */
function headingsOf(path) {
	const lines = read(path)
		.replace(/^```.*?^```/gms, "")
		.matchAll(/^#+ +(.*)$/gm);
	const words = [...lines].map(([, line]) => line.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase());
	return new Set(words.map((text) => text.replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-")));
}
