import { SIPInboundTrunkInfo, SIPOutboundTrunkInfo, SIPTrunkInfo, SIPTrunkInfo_TrunkKind } from "@livekit/protocol";
import type { InboundTrunk, OutboundTrunk, Trunk } from "@trunkline/contracts";
import {
	durationMs,
	encryptionOf,
	includeHeadersOf,
	mediaOf,
	protoDuration,
	protoEncryption,
	protoIncludeHeaders,
	protoMedia,
	protoTimestamp,
	protoTransport,
	transportOf,
} from "./common.ts";

/** A trunk as it is first stored; `now` in ms since the epoch. */
export function inboundTrunkOf(info: SIPInboundTrunkInfo, trunkId: string, now: number): InboundTrunk {
	const ringingTimeoutMs = durationMs(info.ringingTimeout);
	const maxCallDurationMs = durationMs(info.maxCallDuration);
	return {
		kind: "inbound",
		trunkId,
		...commonOf(info),
		allowedAddresses: info.allowedAddresses,
		allowedNumbers: info.allowedNumbers,
		authRealm: info.authRealm,
		...(ringingTimeoutMs === undefined ? {} : { ringingTimeoutMs }),
		...(maxCallDurationMs === undefined ? {} : { maxCallDurationMs }),
		krispEnabled: info.krispEnabled,
		createdAt: now,
		updatedAt: now,
		version: 1,
	};
}

/** A trunk as it is first stored; `now` in ms since the epoch. */
export function outboundTrunkOf(info: SIPOutboundTrunkInfo, trunkId: string, now: number): OutboundTrunk {
	return {
		kind: "outbound",
		trunkId,
		...commonOf(info),
		address: info.address,
		destinationCountry: info.destinationCountry,
		transport: transportOf(info.transport),
		fromHost: info.fromHost,
		createdAt: now,
		updatedAt: now,
		version: 1,
	};
}

/** Without the password: it is written, never read back. */
export function protoInboundTrunk(trunk: InboundTrunk): SIPInboundTrunkInfo {
	const info = new SIPInboundTrunkInfo({
		...protoCommon(trunk),
		allowedAddresses: trunk.allowedAddresses,
		allowedNumbers: trunk.allowedNumbers,
		authRealm: trunk.authRealm,
		krispEnabled: trunk.krispEnabled,
	});
	if (trunk.ringingTimeoutMs !== undefined) info.ringingTimeout = protoDuration(trunk.ringingTimeoutMs);
	if (trunk.maxCallDurationMs !== undefined) info.maxCallDuration = protoDuration(trunk.maxCallDurationMs);
	return info;
}

/** Without the password: it is written, never read back. */
export function protoOutboundTrunk(trunk: OutboundTrunk): SIPOutboundTrunkInfo {
	return new SIPOutboundTrunkInfo({
		...protoCommon(trunk),
		address: trunk.address,
		destinationCountry: trunk.destinationCountry,
		transport: protoTransport(trunk.transport),
		fromHost: trunk.fromHost,
	});
}

/** The older form that DeleteSIPTrunk answers with. */
export function protoLegacyTrunk(trunk: Trunk): SIPTrunkInfo {
	const common = { sipTrunkId: trunk.trunkId, name: trunk.name, metadata: trunk.metadata, outboundNumber: trunk.numbers[0] ?? "" };
	if (trunk.kind === "inbound") {
		return new SIPTrunkInfo({
			...common,
			kind: SIPTrunkInfo_TrunkKind.TRUNK_INBOUND,
			inboundAddresses: trunk.allowedAddresses,
			inboundNumbers: trunk.allowedNumbers,
			inboundUsername: trunk.authUsername,
		});
	}
	return new SIPTrunkInfo({
		...common,
		kind: SIPTrunkInfo_TrunkKind.TRUNK_OUTBOUND,
		outboundAddress: trunk.address,
		transport: protoTransport(trunk.transport),
		outboundUsername: trunk.authUsername,
	});
}

function commonOf(info: SIPInboundTrunkInfo | SIPOutboundTrunkInfo) {
	return {
		name: info.name,
		metadata: info.metadata,
		numbers: info.numbers,
		authUsername: info.authUsername,
		authPassword: info.authPassword,
		headers: info.headers,
		headersToAttributes: info.headersToAttributes,
		attributesToHeaders: info.attributesToHeaders,
		includeHeaders: includeHeadersOf(info.includeHeaders),
		mediaEncryption: encryptionOf(info.mediaEncryption),
		...mediaOf(info.media),
	};
}

function protoCommon(trunk: Trunk) {
	return {
		sipTrunkId: trunk.trunkId,
		name: trunk.name,
		metadata: trunk.metadata,
		numbers: trunk.numbers,
		authUsername: trunk.authUsername,
		headers: trunk.headers,
		headersToAttributes: trunk.headersToAttributes,
		attributesToHeaders: trunk.attributesToHeaders,
		includeHeaders: protoIncludeHeaders(trunk.includeHeaders),
		mediaEncryption: protoEncryption(trunk.mediaEncryption),
		...protoMedia(trunk.media),
		createdAt: protoTimestamp(trunk.createdAt),
		updatedAt: protoTimestamp(trunk.updatedAt),
	};
}
