import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** One file of the page, as it goes over the wire. */
export interface ConsoleFile {
	body: Uint8Array<ArrayBuffer>;
	type: string;
	/** strong, of the bytes */
	etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
	html: "text/html; charset=utf-8",
	css: "text/css; charset=utf-8",
	js: "text/javascript; charset=utf-8",
	svg: "image/svg+xml",
};

/** Libraries that the page loads, by the name that it loads them under; as they are on npm. */
const VENDOR: Readonly<Record<string, () => string>> = {
	"vendor/preact.js": () => fileURLToPath(import.meta.resolve("htm/preact/standalone")),
	"vendor/uplot.js": () => join(folderOf("uplot"), "uPlot.esm.js"),
	"vendor/uplot.css": () => join(folderOf("uplot"), "uPlot.min.css"),
	"vendor/livekit-client.js": () => join(folderOf("livekit-client"), "livekit-client.umd.js"),
};

function folderOf(name: string): string {
	return fileURLToPath(new URL(".", import.meta.resolve(name)));
}

const PAGE = fileURLToPath(new URL("../page", import.meta.url));

/**
 * Every file of the page by its path under /console. `directory`: where a deployment has them in one place, libraries included; unset: from the
 * sources and from node_modules.
 */
export function consoleFiles(directory?: string): Map<string, ConsoleFile> {
	const files = new Map<string, ConsoleFile>();
	for (const path of filesUnder(directory ?? PAGE)) files.set(path, fileAt(join(directory ?? PAGE, path), path));
	if (directory === undefined) for (const [path, at] of Object.entries(VENDOR)) files.set(path, fileAt(at(), path));
	return files;
}

function filesUnder(directory: string): string[] {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
		.map((path) => path.replaceAll(sep, "/"));
}

function fileAt(file: string, path: string): ConsoleFile {
	const body = new Uint8Array(readFileSync(file));
	const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
	return { body, type: TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream", etag };
}
