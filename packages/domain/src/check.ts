import { DomainError } from "./errors.ts";
import {
	MAX_CONFLICT_KEYS,
	MAX_ATTRIBUTE_LENGTH,
	MAX_ENTRY_LENGTH,
	MAX_LIST_LENGTH,
	MAX_MAP_SIZE,
	MAX_METADATA_LENGTH,
	MAX_NAME_LENGTH,
} from "./limits.ts";

export function invalid(message: string): DomainError {
	return new DomainError("invalid_argument", message);
}

/** Throws unless `text` has at most `max` UTF-16 units, no control character and no half of a surrogate pair, which has no UTF-8. */
export function checkText(field: string, text: string, max = MAX_ENTRY_LENGTH): void {
	if (text.length > max) throw invalid(`${field} is too long: ${text.length} characters, at most ${max} are allowed`);
	if (hasControlCharacter(text)) throw invalid(`${field} must not contain control characters`);
	// With the flag u a whole pair is one character, and no surrogate.
	if (/\p{Surrogate}/u.test(text)) throw invalid(`${field} must be well-formed Unicode: it has half of a surrogate pair`);
}

export function checkNameAndMetadata(item: { name: string; metadata: string }): void {
	checkText("name", item.name, MAX_NAME_LENGTH);
	checkMetadata("metadata", item.metadata);
}

/** Free text, line breaks and all. */
export function checkMetadata(field: string, text: string, max = MAX_METADATA_LENGTH): void {
	if (text.length > max) throw invalid(`${field} is too long: ${text.length} characters, at most ${max} are allowed`);
}

export function checkList(field: string, list: readonly string[]): void {
	if (list.length > MAX_LIST_LENGTH) throw invalid(`${field} has ${list.length} elements, at most ${MAX_LIST_LENGTH} are allowed`);
	for (const element of list) {
		if (element === "") throw invalid(`empty element in ${field}`);
		checkText(`element of ${field}`, element);
	}
}

/** Lists are combined into conflict keys: their lengths multiplied, empty ones counting as one, have a bound. */
export function checkCombinations(lists: Readonly<Record<string, readonly string[]>>): void {
	const combinations = Object.values(lists).reduce((product, list) => product * Math.max(1, list.length), 1);
	if (combinations <= MAX_CONFLICT_KEYS) return;
	throw invalid(`${Object.keys(lists).join(" × ")} makes ${combinations} combinations, at most ${MAX_CONFLICT_KEYS} are allowed`);
}

export function checkAttributes(field: string, attributes: Readonly<Record<string, string>>): void {
	const entries = Object.entries(attributes);
	if (entries.length > MAX_MAP_SIZE) throw invalid(`${field} has ${entries.length} entries, at most ${MAX_MAP_SIZE} are allowed`);
	for (const [key, value] of entries) {
		checkText(`key of ${field}`, key);
		checkMetadata(`${field}.${key}`, value, MAX_ATTRIBUTE_LENGTH);
	}
}

/** `undefined` = unset. */
export function checkDuration(field: string, ms: number | undefined, maxMs: number): void {
	if (ms === undefined) return;
	if (ms < 0) throw invalid(`${field} must not be negative`);
	if (ms > maxMs) throw invalid(`${field} must not exceed ${maxMs / 1000}s`);
}

export function hasControlCharacter(text: string): boolean {
	for (let index = 0; index < text.length; index++) {
		const code = text.charCodeAt(index);
		if (code < 0x20 || code === 0x7f) return true;
	}
	return false;
}
