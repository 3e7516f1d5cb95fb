import type { JsonObject } from "@bufbuild/protobuf";
import { InvalidArgumentError, Option } from "commander";
import { CliError, EXIT } from "./errors.ts";

export const COMMAND = "npm run trunkline --";

/** The end of a command's help. */
export function examples(...lines: readonly string[]): string {
	return `\nExamples:\n${lines.map((line) => `  ${COMMAND} ${line}`).join("\n")}`;
}

/** An option that may be given again. */
export const many = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function jsonOption(flags: string, description: string): Option {
	return new Option(flags, description).argParser((text): Record<string, unknown> => {
		try {
			const value: unknown = JSON.parse(text);
			if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
		} catch {
			// told below
		}
		throw new InvalidArgumentError("It must be a JSON object.");
	});
}

export const seconds =
	(most: number) =>
	(text: string): number => {
		const value = Number(text);
		if (text.trim() === "" || !(value > 0 && value <= most)) throw new InvalidArgumentError(`It must be seconds, up to ${most}.`);
		return value;
	};

/** Throws CliError where a command that changes something is not told what; `json` and `url` are of every command. */
export function sayWhat(options: object): void {
	const named = Object.keys(options).filter((name) => name !== "json" && name !== "url");
	if (named.length === 0) throw new CliError("there is nothing to change: --help has what can be", EXIT.usage);
}

/** `name=value`, again and again. */
export function pairs(text: string, before: Record<string, string> | undefined): Record<string, string> {
	const at = text.indexOf("=");
	if (at < 1) throw new InvalidArgumentError("It must look like name=value.");
	return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export const digits = (text: string): string => {
	if (!/^[0-9*#A-Dw]+$/i.test(text)) throw new InvalidArgumentError("Digits are 0-9 * # A-D, and w to wait half a second.");
	return text;
};

/** LiveKit's messages as their JSON form has them. */
export function json(message: { toJson(): unknown }): JsonObject {
	return message.toJson() as JsonObject;
}
