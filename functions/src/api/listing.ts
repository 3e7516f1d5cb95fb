import type { Pagination } from "@livekit/protocol";
import { DomainError, type Page } from "@trunkline/domain";

/** More ids or numbers than this in one list request are refused: each costs a read. */
const MAX_FILTERS = 100;

/** Throws `invalid_argument` for a negative limit. LiveKit ignores the limit; here it holds. */
export function pageOf(pagination: Pagination | undefined): Page {
	if (pagination === undefined) return {};
	if (pagination.limit < 0) throw new DomainError("invalid_argument", "limit must not be negative");
	return {
		...(pagination.afterId === "" ? {} : { afterId: pagination.afterId }),
		...(pagination.limit === 0 ? {} : { limit: pagination.limit }),
	};
}

/** Throws `invalid_argument` when a filter is too long. Gives it without duplicates. */
export function filterOf(field: string, values: readonly string[]): string[] {
	if (values.length > MAX_FILTERS)
		throw new DomainError("invalid_argument", `${field} has ${values.length} elements, at most ${MAX_FILTERS} are allowed`);
	return [...new Set(values)];
}

/** A page of items that were found by key: sorted by id, without duplicates, after `afterId`, at most `limit`. */
export function pageOfFound<T>(found: readonly T[], idOf: (item: T) => string, { afterId, limit }: Page): T[] {
	const byId = new Map<string, T>();
	for (const item of found) if (afterId === undefined || idOf(item) > afterId) byId.set(idOf(item), item);
	const sorted = [...byId.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
	return limit === undefined ? sorted : sorted.slice(0, limit);
}
