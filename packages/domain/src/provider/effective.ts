import type { ProviderId, ReferDialect, TrunkSettings } from "@trunkline/contracts";
import { providerProfile } from "./profiles.ts";

type Resolved<T> = { [K in keyof T]-?: NonNullable<T[K]> };
type Group<K extends keyof TrunkSettings> = Resolved<NonNullable<TrunkSettings[K]>>;

/** What a trunk's calls go by: nothing is left open. `null` = there is none. */
export interface EffectiveSettings {
	provider: ProviderId;
	followRedirects: boolean;
	redirectHosts: readonly string[];
	earlyMedia: Group<"earlyMedia">;
	reliableProvisional: NonNullable<TrunkSettings["reliableProvisional"]>;
	sessionTimer: Group<"sessionTimer">;
	identity: { fromUser: string | null; assertedIdentity: string | null; anonymous: boolean };
	uri: Group<"uri">;
	registration: { enabled: boolean; registrar: string | null; user: string | null; expiresSeconds: number };
	tls: { serverName: string | null; clientCertificate: string | null; minVersion: "TLSv1.2" | "TLSv1.3" };
	srtp: Group<"srtp">;
	transfer: { bridgeTrunkId: string | null; incoming: "refuse" | "follow" | "bridge"; replaces: boolean };
	promptLanguage: string;
	recording: Group<"recording">;
	/** `uplink` null: as `krisp_enabled` says */
	noiseSuppression: { uplink: boolean | null; downlink: boolean; mix: number };
	emptyRoomSeconds: number | null;
	limits: { concurrentCalls: number | null; callsPerSecond: number | null };
	/** the provider's; no setting of a trunk */
	refer: ReferDialect;
	/** the provider's; no setting of a trunk */
	failoverStatuses: readonly number[];
}

type Settable = Omit<EffectiveSettings, "provider" | "refer" | "failoverStatuses">;

/** Nothing assumed about who is at the other end: what LiveKit's SIP service does, and what RFCs ask of every user agent. */
const GENERIC: Settable = {
	followRedirects: false,
	redirectHosts: [],
	earlyMedia: { toRoom: false, fromRoom: false },
	reliableProvisional: "supported",
	// RFC 4028 §4 recommends 1800 s; §5: no less than 90 s.
	sessionTimer: { mode: "accept", expiresSeconds: 1800, minSeconds: 90 },
	identity: { fromUser: null, assertedIdentity: null, anonymous: false },
	uri: { userPhone: false, transportParameter: true, numbers: "as-given", prefix: "" },
	registration: { enabled: false, registrar: null, user: null, expiresSeconds: 3600 },
	tls: { serverName: null, clientCertificate: null, minVersion: "TLSv1.2" },
	srtp: { keying: "sdes" },
	transfer: { bridgeTrunkId: null, incoming: "refuse", replaces: false },
	promptLanguage: "en",
	recording: { enabled: false, notice: false, directory: "" },
	noiseSuppression: { uplink: null, downlink: false, mix: 1 },
	emptyRoomSeconds: null,
	limits: { concurrentCalls: null, callsPerSecond: null },
};

/** The trunk's settings over its provider's profile over the generic ones, field by field. */
export function effectiveSettings(settings: TrunkSettings | undefined): EffectiveSettings {
	const provider = settings?.provider ?? "generic";
	const profile = providerProfile(provider);
	const layers = [profile.settings, settings ?? {}];
	const group = <
		K extends
			| "earlyMedia"
			| "sessionTimer"
			| "identity"
			| "uri"
			| "registration"
			| "tls"
			| "srtp"
			| "transfer"
			| "recording"
			| "noiseSuppression"
			| "limits",
	>(
		key: K,
	) =>
		merged<Settable[K]>(
			GENERIC[key],
			layers.map((layer) => layer[key] as Partial<Settable[K]> | undefined),
		);
	const last = <K extends "followRedirects" | "redirectHosts" | "reliableProvisional" | "promptLanguage" | "emptyRoomSeconds">(
		key: K,
	): Settable[K] => (settings?.[key] ?? profile.settings[key] ?? GENERIC[key]) as Settable[K];
	return {
		provider,
		followRedirects: last("followRedirects"),
		redirectHosts: last("redirectHosts"),
		earlyMedia: group("earlyMedia"),
		reliableProvisional: last("reliableProvisional"),
		sessionTimer: group("sessionTimer"),
		identity: group("identity"),
		uri: group("uri"),
		registration: group("registration"),
		tls: group("tls"),
		srtp: group("srtp"),
		transfer: group("transfer"),
		promptLanguage: last("promptLanguage"),
		recording: group("recording"),
		noiseSuppression: group("noiseSuppression"),
		emptyRoomSeconds: last("emptyRoomSeconds"),
		limits: group("limits"),
		refer: profile.refer,
		failoverStatuses: profile.failover.ours,
	};
}

/** Final answers after which an outbound call goes on with the next target of the trunk's address; never a busy or unwilling callee. */
export function failoverStatuses(settings: TrunkSettings | undefined): readonly number[] {
	return providerProfile(settings?.provider ?? "generic").failover.ours;
}

/** What a final answer means with this provider beyond the RFCs; undefined when it means nothing of its own. */
export function statusMeaning(settings: TrunkSettings | undefined, status: number): string | undefined {
	const { name, statuses } = providerProfile(settings?.provider ?? "generic");
	const found = statuses.find((one) => one.status === status);
	if (found === undefined) return undefined;
	return `with ${name} this means${found.unsure === true ? ", as far as is known" : ""}: ${found.meaning}`;
}

function merged<T extends object>(base: T, layers: readonly (Partial<T> | undefined)[]): T {
	const result: T = { ...base };
	for (const layer of layers) {
		for (const [key, value] of Object.entries(layer ?? {})) if (value !== undefined) result[key as keyof T] = value as T[keyof T];
	}
	return result;
}

/**
 * What a trunk says of TLS, for the node that connects: another project's client certificate is looked for in that project's own folder, so that none can
 * show a certificate that is not its own. `ownProjectId` is the deployment's project, whose certificates are in no folder.
 */
export function tlsOf(settings: TrunkSettings | undefined, projectId: string, ownProjectId: string): EffectiveSettings["tls"] {
	const { tls } = effectiveSettings(settings);
	if (tls.clientCertificate === null || projectId === ownProjectId) return tls;
	return { ...tls, clientCertificate: `${projectId}/${tls.clientCertificate}` };
}
