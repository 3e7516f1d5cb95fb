import type { DispatchRuleSettings, TrunkSettings } from "./trunk-settings.ts";

/**
 * Trunks and dispatch rules as Trunkline keeps them. Field names are LiveKit's (`livekit.SIPInboundTrunkInfo`, …) in camelCase;
 * everything that LiveKit's proto3 leaves unset has its zero value here ("" / [] / {} / 0 / false), so that nothing is optional
 * but what LiveKit itself distinguishes from its zero value.
 */
export type IncludeHeaders = "NO" | "X_HEADERS" | "ALL";
export type MediaEncryption = "DISABLE" | "ALLOW" | "REQUIRE";
export type Transport = "AUTO" | "UDP" | "TCP" | "TLS";

export interface MediaConfig {
	onlyListedCodecs: boolean;
	codecs: { name: string; rate: number }[];
	/** unset = not said; the legacy `media_encryption` field then applies */
	encryption?: MediaEncryption;
	mediaTimeoutMs?: number;
}

export interface InboundTrunk {
	kind: "inbound";
	trunkId: string;
	name: string;
	metadata: string;
	/** called numbers; none = wildcard trunk */
	numbers: string[];
	/** source addresses: IP, CIDR; none = any */
	allowedAddresses: string[];
	/** caller numbers; none = any */
	allowedNumbers: string[];
	authUsername: string;
	authPassword: string;
	authRealm: string;
	headers: Record<string, string>;
	headersToAttributes: Record<string, string>;
	attributesToHeaders: Record<string, string>;
	includeHeaders: IncludeHeaders;
	ringingTimeoutMs?: number;
	maxCallDurationMs?: number;
	krispEnabled: boolean;
	mediaEncryption: MediaEncryption;
	media?: MediaConfig;
	/** beyond LiveKit's fields; unset = nothing was said */
	settings?: TrunkSettings;
	createdAt: number;
	updatedAt: number;
	/** optimistic version, 1 on create */
	version: number;
}

export interface OutboundTrunk {
	kind: "outbound";
	trunkId: string;
	name: string;
	metadata: string;
	/** host or IP, optional port; never a SIP URI */
	address: string;
	destinationCountry: string;
	transport: Transport;
	numbers: string[];
	authUsername: string;
	authPassword: string;
	fromHost: string;
	headers: Record<string, string>;
	headersToAttributes: Record<string, string>;
	attributesToHeaders: Record<string, string>;
	includeHeaders: IncludeHeaders;
	mediaEncryption: MediaEncryption;
	media?: MediaConfig;
	settings?: TrunkSettings;
	createdAt: number;
	updatedAt: number;
	version: number;
}

export type Trunk = InboundTrunk | OutboundTrunk;

export type DispatchTarget =
	| { type: "direct"; roomName: string; pin: string }
	| { type: "individual"; roomPrefix: string; pin: string; noRandomness: boolean }
	| { type: "callee"; roomPrefix: string; pin: string; randomize: boolean };

export interface DispatchRule {
	ruleId: string;
	rule: DispatchTarget;
	/** none = every trunk */
	trunkIds: string[];
	hidePhoneNumber: boolean;
	/** caller numbers; none = any */
	inboundNumbers: string[];
	/** called numbers; none = any */
	numbers: string[];
	name: string;
	metadata: string;
	attributes: Record<string, string>;
	roomPreset: string;
	/** `livekit.RoomConfiguration` as proto3 JSON, carried opaque into the join token */
	roomConfig?: Record<string, unknown>;
	krispEnabled: boolean;
	mediaEncryption: MediaEncryption;
	media?: MediaConfig;
	/** beyond LiveKit's fields; unset = nothing was said */
	settings?: DispatchRuleSettings;
	createdAt: number;
	updatedAt: number;
	version: number;
}
