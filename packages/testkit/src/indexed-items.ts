import type { Page } from "@trunkline/domain";
import { SortedIds } from "./sorted-ids.ts";

/** Items by id, in the order of their ids, with unique claims and with pointers by which they are found: no method looks at all of them. */
export class IndexedItems<T extends { version: number }> {
	readonly #idOf: (item: T) => string;
	readonly #claimsOf: (item: T) => readonly string[];
	readonly #pointersOf: (item: T) => readonly string[];
	readonly #items = new Map<string, T>();
	readonly #ids = new SortedIds();
	/** claim → id of its holder */
	readonly #claims = new Map<string, string>();
	readonly #pointers = new Map<string, Set<string>>();

	constructor(options: {
		idOf: (item: T) => string;
		claimsOf: (item: T) => readonly string[];
		pointersOf: (item: T) => readonly string[];
	}) {
		this.#idOf = options.idOf;
		this.#claimsOf = options.claimsOf;
		this.#pointersOf = options.pointersOf;
	}

	/** Who else holds a claim of the item. */
	holderOf(item: T): { claim: string; holder: T } | undefined {
		for (const claim of this.#claimsOf(item)) {
			const id = this.#claims.get(claim);
			const holder = id === undefined || id === this.#idOf(item) ? undefined : this.#items.get(id);
			if (holder) return { claim, holder: structuredClone(holder) };
		}
		return undefined;
	}

	/** In the place of the one with the same id; whether its claims are free has been looked at. */
	put(given: T): void {
		const item = structuredClone(given);
		const id = this.#idOf(item);
		if (!this.delete(id, true)) this.#ids.add(id);
		this.#items.set(id, item);
		for (const claim of this.#claimsOf(item)) this.#claims.set(claim, id);
		for (const pointer of this.#pointersOf(item)) {
			const found = this.#pointers.get(pointer);
			if (found) found.add(id);
			else this.#pointers.set(pointer, new Set([id]));
		}
	}

	/** False when another version is stored, or none. */
	replace(version: number, next: T): boolean {
		if (this.#items.get(this.#idOf(next))?.version !== version) return false;
		this.put(next);
		return true;
	}

	get(id: string): T | undefined {
		return structuredClone(this.#items.get(id));
	}

	some(ids: readonly string[]): T[] {
		return [...new Set(ids)].map((id) => this.get(id)).filter((item) => item !== undefined);
	}

	/** In the order of their ids. */
	found(pointers: readonly string[]): T[] {
		const ids = new Set(pointers.flatMap((pointer) => [...(this.#pointers.get(pointer) ?? [])]));
		return this.some([...ids].sort());
	}

	list({ afterId, limit }: Page): T[] {
		return this.some(this.#ids.after(afterId ?? "", limit || Infinity));
	}

	/** `kept`: another version comes in its place. */
	delete(id: string, kept = false): T | undefined {
		const item = this.#items.get(id);
		if (!item) return undefined;
		this.#items.delete(id);
		if (!kept) this.#ids.remove(id);
		for (const claim of this.#claimsOf(item)) this.#claims.delete(claim);
		for (const pointer of this.#pointersOf(item)) {
			const found = this.#pointers.get(pointer);
			found?.delete(id);
			if (found?.size === 0) this.#pointers.delete(pointer);
		}
		return item;
	}
}
