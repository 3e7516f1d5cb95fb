import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { EmulatorError } from "../errors.ts";

/** Makes the directory (readable by its owner only: SIP passwords are in it) and sees that it can be written to. */
export async function openDataDirectory(path: string): Promise<void> {
	try {
		await makeDirectories(path);
		if (!(await stat(path)).isDirectory()) throw new Error("it is not a directory");
		await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
	} catch (error) {
		throw unusable(path, error);
	}
}

/** Not mkdir's `recursive`: it never ends where a directory that exists takes no new ones and says ENOENT, as /proc does. */
async function makeDirectories(path: string): Promise<void> {
	const mode = 0o700;
	try {
		await mkdir(path, { mode });
	} catch (error) {
		if (codeOf(error) === "EEXIST") return;
		if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
		await makeDirectories(dirname(path));
		await mkdir(path, { mode });
	}
}

/** Opens the database in it; the errors say what to do. `path` undefined = in memory. */
export async function openDatabase(path: string | undefined, open: () => Promise<void>): Promise<void> {
	try {
		await open();
	} catch (error) {
		const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
		if (path === undefined)
			throw new EmulatorError("start_failed", `The in-memory database does not open: ${reasonOf(cause)}`, { cause: error });
		if (codeOf(cause) === "LEVEL_LOCKED")
			throw new EmulatorError(
				"data_directory_locked",
				`The data directory ${path} is in use by another process. Stop that process, or set DATA_DIR to another directory.`,
				{ cause: error },
			);
		throw unusable(path, cause);
	}
}

function unusable(path: string, error: unknown): EmulatorError {
	return new EmulatorError(
		"data_directory_unusable",
		`The data directory ${path} cannot be used: ${reasonOf(error)}. Make it a directory that this user may write to, or set DATA_DIR to another one.`,
		{ cause: error },
	);
}

function reasonOf(error: unknown): string {
	const words: Record<string, string> = {
		EACCES: "permission denied",
		EPERM: "permission denied",
		EROFS: "the file system is read-only",
		ENOTDIR: "a part of the path is a file",
		EEXIST: "it is a file",
		ENOSPC: "the disk is full",
		ENOENT: "it cannot be created here",
	};
	return words[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}

function codeOf(error: unknown): string | undefined {
	return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
