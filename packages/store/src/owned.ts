import { DomainError } from "@trunkline/domain";
import type { Attributes } from "./items.ts";
import type { Key } from "./keys.ts";

/**
 * An item (trunk, rule) with the claims that keep others from conflicting with it and the pointers by which it is found.
 *
 * The rule that all rests on: claims and pointers count only while their owner's item is there, is not `pending`, and has them among its own. The
 * owner's item alone says what it has. DynamoDB's transactions end at 100 actions, so what needs more is written in several: a creation puts
 * the owner first and `pending`, an update marks it as being updated, and one write at the end puts everything into force. Whatever a crash
 * leaves behind before that is nobody's, and the next one who wants the claim takes it.
 */
export interface Owned {
	key: Key;
	id: string;
	name: string;
	version: number;
	/** attributes of the item, without key */
	item: Attributes;
	claims: Claim[];
	pointers: Key[];
}

export interface Claim {
	key: Key;
	conflictKey: string;
}

/** Who holds a claim that somebody else wants. */
export interface Holder {
	conflictKey: string;
	id: string;
	name: string;
}

export function busy(id: string): DomainError {
	return new DomainError("aborted", `${id}: others are changing the same numbers or rules at this moment; try again`);
}
