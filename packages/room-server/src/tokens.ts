import { TrackSource } from "@livekit/protocol";
import { decodeJwt, errors, jwtVerify, SignJWT } from "jose";

export type ParticipantKind = "standard" | "ingress" | "egress" | "sip" | "agent" | "connector" | "bridge";
const kinds: readonly ParticipantKind[] = ["standard", "ingress", "egress", "sip", "agent", "connector", "bridge"];

/** What a token allows, LiveKit's defaults filled in. */
export interface Grants {
	identity: string;
	name: string;
	metadata: string;
	attributes: Record<string, string>;
	kind: ParticipantKind;
	room: string;
	roomJoin: boolean;
	roomCreate: boolean;
	roomList: boolean;
	roomAdmin: boolean;
	canPublish: boolean;
	canSubscribe: boolean;
	canPublishData: boolean;
	/** empty = all */
	canPublishSources: TrackSource[];
	canUpdateOwnMetadata: boolean;
	hidden: boolean;
	/** where the bearer may move participants of `room` to; "" = nowhere */
	destinationRoom: string;
}

const sources: Readonly<Record<string, TrackSource>> = {
	camera: TrackSource.CAMERA,
	microphone: TrackSource.MICROPHONE,
	screen_share: TrackSource.SCREEN_SHARE,
	screen_share_audio: TrackSource.SCREEN_SHARE_AUDIO,
};

/** how long a token holds that replaces one in use, as LiveKit's */
const REFRESHED_TOKEN_SECONDS = 600;

/**
 * A token for a participant who is in already, with what it may do by now: with it the client comes back after the first one has expired. As LiveKit's, it
 * holds no shorter than the first one (`expiresAt`, Unix time in s).
 */
export async function refreshedToken(
	grants: Grants,
	{ apiKey, secret, expiresAt }: { apiKey: string; secret: string; expiresAt: number },
): Promise<string> {
	const { identity, name, metadata, attributes, kind, ...video } = grants;
	const names = Object.entries(sources).flatMap(([source, number]) => (video.canPublishSources.includes(number) ? [source] : []));
	const canPublishSources = video.canPublishSources.length > 0 && names.length === 0 ? ["unknown"] : names;
	return new SignJWT({ name, metadata, attributes, kind, video: { ...video, canPublishSources } })
		.setProtectedHeader({ alg: "HS256" })
		.setIssuer(apiKey)
		.setSubject(identity)
		.setIssuedAt()
		.setExpirationTime(Math.max(Math.floor(Date.now() / 1000) + REFRESHED_TOKEN_SECONDS, expiresAt))
		.sign(Buffer.from(secret, "utf8"));
}

/** `expiresAt`: Unix time in s */
export type Verified = { ok: true; grants: Grants; apiKey: string; expiresAt: number } | { ok: false; message: string };

/** Checks a LiveKit access token (JWT, HS256, issuer = API key) against the keys this server knows. Never throws for what a client sent. */
export async function verifyToken(token: string, apiKeys: Readonly<Record<string, string>>): Promise<Verified> {
	if (token === "") return { ok: false, message: "authorization token is missing" };
	try {
		const { iss } = decodeJwt(token);
		const secret = iss !== undefined && Object.hasOwn(apiKeys, iss) ? apiKeys[iss] : undefined;
		if (secret === undefined) return { ok: false, message: "invalid API key" };
		// a token without an end would hold for ever
		const { payload } = await jwtVerify(token, Buffer.from(secret, "utf8"), {
			algorithms: ["HS256"],
			clockTolerance: 60,
			requiredClaims: ["exp"],
		});
		return { ok: true, grants: grantsOf(payload), apiKey: iss ?? "", expiresAt: payload.exp ?? 0 };
	} catch (error) {
		if (error instanceof errors.JWTExpired) return { ok: false, message: "invalid token: token has invalid claims: token is expired" };
		if (error instanceof errors.JOSEError || error instanceof TypeError) return { ok: false, message: `invalid token: ${error.message}` };
		throw error;
	}
}

/** The bearer token of a request: the Authorization header, else `access_token` in the query. */
export function tokenOf(authorization: string | undefined, query: URLSearchParams): string {
	if (authorization !== undefined && authorization !== "") return authorization.startsWith("Bearer ") ? authorization.slice(7).trim() : "";
	return query.get("access_token") ?? "";
}

function grantsOf(claims: Record<string, unknown>): Grants {
	const video = record(claims["video"]);
	const canPublish = video["canPublish"] !== false;
	const kind = text(claims["kind"]).toLowerCase();
	return {
		identity: text(claims["sub"]),
		name: text(claims["name"]),
		metadata: text(claims["metadata"]),
		attributes: textRecord(claims["attributes"]),
		kind: kinds.find((known) => known === kind) ?? "standard",
		room: text(video["room"]),
		roomJoin: video["roomJoin"] === true,
		roomCreate: video["roomCreate"] === true,
		roomList: video["roomList"] === true,
		roomAdmin: video["roomAdmin"] === true,
		canPublish,
		canSubscribe: video["canSubscribe"] !== false,
		// LiveKit: publishing data follows canPublish unless it is said
		canPublishData: typeof video["canPublishData"] === "boolean" ? video["canPublishData"] : canPublish,
		canPublishSources: sourcesOf(video["canPublishSources"]),
		canUpdateOwnMetadata: video["canUpdateOwnMetadata"] === true,
		hidden: video["hidden"] === true,
		destinationRoom: text(video["destinationRoom"]),
	};
}

function sourcesOf(value: unknown): TrackSource[] {
	if (!Array.isArray(value)) return [];
	const named = value.flatMap((name) => sources[text(name).toLowerCase()] ?? []);
	// what is named but unknown must not come to mean all
	return value.length > 0 && named.length === 0 ? [TrackSource.UNKNOWN] : named;
}

function record(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
	return typeof value === "string" ? value : "";
}

function textRecord(value: unknown): Record<string, string> {
	return Object.fromEntries(Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
