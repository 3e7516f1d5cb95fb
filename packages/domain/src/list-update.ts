import { DomainError } from "./errors.ts";

/** `livekit.ListUpdate`: exactly one of set, clear, and remove with add. */
export interface ListUpdate {
	set: readonly string[];
	add: readonly string[];
	remove: readonly string[];
	clear: boolean;
}

/**
 * The list after the update: what is removed goes first, then what is new is added at the end. `sameAs` gives two ways of writing one thing one form
 * (numbers with and without "+"): LiveKit compares the texts, and then "+1555" cannot be removed as "1555" and is there twice when it is added so.
 * Throws `invalid_argument` with LiveKit's texts; `meta.field` says which list.
 */
export function applyListUpdate(
	field: string,
	list: readonly string[],
	update: ListUpdate | undefined,
	sameAs: (element: string) => string = (element) => element,
): string[] {
	if (update === undefined) return [...list];
	checkListUpdate(field, update);
	if (update.clear) return [];
	if (update.set.length > 0) return [...update.set];
	const removed = new Set(update.remove.map(sameAs));
	const result = list.filter((element) => !removed.has(sameAs(element)));
	const present = new Set(result.map(sameAs));
	for (const element of update.add) {
		const form = sameAs(element);
		if (!present.has(form)) result.push(element);
		present.add(form);
	}
	return result;
}

/** The map after the update: an empty value deletes its key. */
export function applyMapDiff(map: Readonly<Record<string, string>>, diff: Readonly<Record<string, string>>): Record<string, string> {
	return Object.fromEntries(Object.entries({ ...map, ...diff }).filter(([key, value]) => value !== "" || !(key in diff)));
}

function checkListUpdate(field: string, { set, add, remove, clear }: ListUpdate): void {
	const problem = (message: string): DomainError => new DomainError("invalid_argument", message, { field });
	const changes = add.length + remove.length > 0;
	if (!clear && !changes && set.length === 0) throw problem("unsupported list update operation");
	if (clear && (changes || set.length > 0)) throw problem("cannot clear and change the list at the same time");
	if (set.length > 0 && changes) throw problem("cannot set and change the list at the same time");
	if ([...set, ...add, ...remove].includes("")) throw problem("empty element in the list");
}
