// Partial updates; proto → domain, pure. A field that is unset in the message is unset in the update.
import type {
	ListUpdate as ProtoListUpdate,
	SIPDispatchRuleUpdate,
	SIPInboundTrunkUpdate,
	SIPOutboundTrunkUpdate,
} from "@livekit/protocol";
import type { DispatchRuleUpdate, InboundTrunkUpdate, ListUpdate, OutboundTrunkUpdate } from "@trunkline/domain";
import { encryptionOf, mediaOf, transportOf } from "./common.ts";
import { targetOf } from "./dispatch-rule.ts";

export function inboundTrunkUpdateOf(update: SIPInboundTrunkUpdate): InboundTrunkUpdate {
	return {
		...commonOf(update),
		...list("allowedAddresses", update.allowedAddresses),
		...list("allowedNumbers", update.allowedNumbers),
		...(update.authRealm === undefined ? {} : { authRealm: update.authRealm }),
	};
}

export function outboundTrunkUpdateOf(update: SIPOutboundTrunkUpdate): OutboundTrunkUpdate {
	return {
		...commonOf(update),
		...(update.address === undefined ? {} : { address: update.address }),
		...(update.transport === undefined ? {} : { transport: transportOf(update.transport) }),
		...(update.destinationCountry === undefined ? {} : { destinationCountry: update.destinationCountry }),
		...(update.fromHost === undefined ? {} : { fromHost: update.fromHost }),
	};
}

/** Throws `invalid_argument` for a rule that does not say what it does. */
export function dispatchRuleUpdateOf(update: SIPDispatchRuleUpdate): DispatchRuleUpdate {
	return {
		...list("trunkIds", update.trunkIds),
		...(update.rule === undefined ? {} : { rule: targetOf(update.rule) }),
		...textOf(update),
		attributes: update.attributes,
	};
}

function commonOf(update: SIPInboundTrunkUpdate | SIPOutboundTrunkUpdate) {
	return {
		...list("numbers", update.numbers),
		...(update.authUsername === undefined ? {} : { authUsername: update.authUsername }),
		...(update.authPassword === undefined ? {} : { authPassword: update.authPassword }),
		...textOf(update),
	};
}

function textOf(update: SIPInboundTrunkUpdate | SIPOutboundTrunkUpdate | SIPDispatchRuleUpdate) {
	return {
		...(update.name === undefined ? {} : { name: update.name }),
		...(update.metadata === undefined ? {} : { metadata: update.metadata }),
		...(update.mediaEncryption === undefined ? {} : { mediaEncryption: encryptionOf(update.mediaEncryption) }),
		...mediaOf(update.media),
	};
}

function list<K extends string>(field: K, update: ProtoListUpdate | undefined): { [P in K]?: ListUpdate } {
	if (update === undefined) return {};
	const { set, add, remove, clear } = update;
	const changes: { [P in K]?: ListUpdate } = {};
	changes[field] = { set, add, remove, clear };
	return changes;
}
