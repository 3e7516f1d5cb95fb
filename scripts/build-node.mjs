// The file set of the media node's image: its sources and those of the packages that it uses, and their dependencies for production, laid out as
// in this repository, so that nothing differs between here and there. The set is the same for x64 and arm64: what is native (Opus) is there for both,
// and a package that npm installs differently here and there, or that has an install script, is refused. Plain Node: the Dockerfile runs it, too.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const WORKSPACE = "media-node";
/** What no program reads, TypeScript included: in node_modules Node runs none. Licences stay. */
const NEVER_READ = /\.([cm]?ts|map|md|markdown|flow|tsbuildinfo)$|^(\.github|\.vscode|docs|dist-types|tests?|__tests__|benchmarks?)$/;
/** Native code of systems that no container has. */
const OTHER_SYSTEMS = /-(darwin|win32)\.node$/;
const OF_TESTS = /\.(test|testkit|bench)\.ts$/;

/** Writes the set into a folder, which must be empty or absent. Gives { packages, files, bytes }. */
export function buildNode(folder) {
	if (existsSync(folder) && readdirSync(folder).length > 0) throw new Error(`${folder} is not empty`);
	const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
	const wanted = closureOf(packages, WORKSPACE);
	const native = wanted.filter((path) => packages[path].os ?? packages[path].cpu ?? packages[path].libc ?? packages[path].hasInstallScript);
	if (native.length > 0)
		throw new Error(`these of the node's dependencies are installed for one platform, or by a script: ${native.join(", ")}`);
	mkdirSync(folder, { recursive: true });
	for (const path of wanted) {
		if (packages[path].link) link(folder, path, packages[path].resolved);
		else if (path.includes("node_modules/")) copyDependency(path, join(folder, path));
		else copyWorkspace(path, join(folder, path));
	}
	writeFileSync(join(folder, "package.json"), `${JSON.stringify({ name: "trunkline", private: true, type: "module" })}\n`);
	return { packages: wanted.filter((path) => path.includes("node_modules/") && !packages[path].link), ...sizeOf(folder) };
}

/** Paths in the lock file of everything that a workspace needs at run time. */
function closureOf(packages, workspace) {
	const found = new Set();
	const visit = (path) => {
		if (found.has(path)) return;
		found.add(path);
		const { link: isLink, resolved, dependencies, optionalDependencies } = packages[path];
		if (isLink) return visit(resolved);
		for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
			const dependency = placeOf(packages, path, name);
			if (dependency !== undefined) visit(dependency);
			else if (optionalDependencies?.[name] === undefined) throw new Error(`${path} needs ${name}, which the lock file does not have`);
		}
	};
	visit(workspace);
	return [...found].sort();
}

/** As Node looks for it: from the package outwards. */
function placeOf(packages, from, name) {
	for (let folder = from; ; folder = folder.includes("/") ? dirname(folder) : "") {
		const path = join(folder, "node_modules", name).split(sep).join("/");
		if (packages[path] !== undefined) return path;
		if (folder === "") return undefined;
	}
}

function link(folder, path, target) {
	const place = join(folder, path);
	mkdirSync(dirname(place), { recursive: true });
	symlinkSync(relative(dirname(place), join(folder, target)), place);
}

function copyDependency(path, to) {
	const from = join(root, path);
	if (!existsSync(from)) throw new Error(`${path} is not installed: run npm install first`);
	const isWanted = (file) =>
		file === from || (basename(file) !== "node_modules" && !NEVER_READ.test(basename(file)) && !OTHER_SYSTEMS.test(file));
	cpSync(from, to, { recursive: true, filter: isWanted });
}

/** Sources and what they read beside them; no tests, no node_modules. */
function copyWorkspace(path, to) {
	const from = join(root, path);
	const isWanted = (file) => !OF_TESTS.test(file) && basename(file) !== "node_modules";
	for (const entry of ["package.json", "src", "assets", "model"]) {
		if (existsSync(join(from, entry))) cpSync(join(from, entry), join(to, entry), { recursive: true, filter: isWanted });
	}
}

/** Links are not followed. */
function sizeOf(folder) {
	let [files, bytes] = [0, 0];
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		const inside = entry.isDirectory() ? sizeOf(path) : { files: entry.isFile() ? 1 : 0, bytes: entry.isFile() ? statSync(path).size : 0 };
		files += inside.files;
		bytes += inside.bytes;
	}
	return { files, bytes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const folder = resolve(process.argv[2] ?? join(root, "dist/node"));
	if (process.argv[2] === undefined) rmSync(folder, { recursive: true, force: true });
	const { packages, files, bytes } = buildNode(folder);
	process.stdout.write(`${folder}: ${packages.length} packages, ${files} files, ${(bytes / 1e6).toFixed(1)} MB\n`);
}
