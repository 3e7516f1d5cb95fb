import { correlate } from "@trunkline/observability";
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { ApiDeps } from "./deps.ts";
import type { Grants } from "./grants.ts";

export type Authentication =
	| { kind: "anonymous" }
	| { kind: "authenticated"; projectId: string; apiKey: string; grants: Grants }
	/** LiveKit answers these with 401 and the text alone */
	| { kind: "refused"; text: string };

const CLOCK_TOLERANCE_SECONDS = 10;

/** A token with what it says, once it is verified. */
export type VerifiedToken = { kind: "anonymous" } | Verification;

/** LiveKit's JWT: HS256 with the secret of the API key that is the issuer. From the Authorization header or the form value `access_token`. */
export async function verifiedToken(request: Request, deps: Pick<ApiDeps, "keys" | "clock">): Promise<VerifiedToken> {
	const header = request.headers.get("authorization");
	if (header !== null && !header.startsWith("Bearer ")) {
		return { kind: "refused", text: "invalid authorization header. Must start with Bearer " };
	}
	const token = header?.slice("Bearer ".length) ?? new URL(request.url).searchParams.get("access_token");
	if (token === null || token === undefined) return { kind: "anonymous" };
	const issuer = unverifiedIssuer(token);
	return issuer === undefined ? { kind: "refused", text: "invalid authorization token" } : verify(token, issuer, deps);
}

/** Who asks, and what the token lets them do. */
export async function authenticate(request: Request, deps: Pick<ApiDeps, "keys" | "clock">): Promise<Authentication> {
	const token = await verifiedToken(request, deps);
	if (token.kind !== "verified") return token;
	correlate({ projectId: token.projectId });
	return { kind: "authenticated", projectId: token.projectId, apiKey: token.apiKey, grants: sipGrants(token.payload) };
}

type Verification = { kind: "verified"; projectId: string; apiKey: string; payload: JWTPayload } | { kind: "refused"; text: string };

/** With any secret of the key that is live. One that was rotated a moment ago may not be known here yet: then the key is read anew, once. */
async function verify(token: string, issuer: string, deps: Pick<ApiDeps, "keys" | "clock">): Promise<Verification> {
	const first = await verifyOnce(token, issuer, deps);
	if (first.kind === "verified" || !first.otherSecret || deps.keys.forget?.(issuer) !== true) return first;
	return verifyOnce(token, issuer, deps);
}

async function verifyOnce(
	token: string,
	issuer: string,
	{ keys, clock }: Pick<ApiDeps, "keys" | "clock">,
): Promise<Extract<Verification, { kind: "verified" }> | { kind: "refused"; text: string; otherSecret: boolean }> {
	const key = await keys.lookup(issuer);
	if (key === undefined) return { kind: "refused", text: "invalid API key", otherSecret: false };
	let failure: unknown;
	for (const secret of [key.secret, ...(key.previousSecret === undefined ? [] : [key.previousSecret])]) {
		try {
			const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
				issuer,
				algorithms: ["HS256"],
				clockTolerance: CLOCK_TOLERANCE_SECONDS,
				currentDate: new Date(clock()),
				// A token without an end would hold for ever.
				requiredClaims: ["exp"],
			});
			return { kind: "verified", projectId: key.projectId, apiKey: issuer, payload };
		} catch (error) {
			failure = error;
			if (!isOtherSecret(error)) break;
		}
	}
	const why = failure instanceof Error ? failure.message : "";
	return { kind: "refused", text: `invalid token, error: ${why}`, otherSecret: isOtherSecret(failure) };
}

function isOtherSecret(error: unknown): boolean {
	return error instanceof errors.JWSSignatureVerificationFailed;
}

/** The issuer says which key to verify with; nothing else is read before verification. */
function unverifiedIssuer(token: string): string | undefined {
	const [, payload, signature, ...rest] = token.split(".");
	if (payload === undefined || signature === undefined || rest.length > 0) return undefined;
	try {
		const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
		const issuer = typeof claims === "object" && claims !== null && "iss" in claims ? claims.iss : undefined;
		return typeof issuer === "string" ? issuer : undefined;
	} catch {
		return undefined;
	}
}

function sipGrants(payload: JWTPayload): Grants {
	const sip: unknown = payload["sip"];
	const has = (name: string): boolean => typeof sip === "object" && sip !== null && (sip as Record<string, unknown>)[name] === true;
	const adminOfRoom = roomOfAdmin(payload["video"]);
	const destinationRoom = destinationOf(payload["video"]);
	return {
		...{ sipAdmin: has("admin"), sipCall: has("call") },
		...(adminOfRoom === undefined ? {} : { adminOfRoom }),
		...(destinationRoom === undefined ? {} : { destinationRoom }),
	};
}

function destinationOf(video: unknown): string | undefined {
	if (typeof video !== "object" || video === null) return undefined;
	const { destinationRoom } = video as Record<string, unknown>;
	return typeof destinationRoom === "string" && destinationRoom !== "" ? destinationRoom : undefined;
}

function roomOfAdmin(video: unknown): string | undefined {
	if (typeof video !== "object" || video === null) return undefined;
	const { roomAdmin, room } = video as Record<string, unknown>;
	return roomAdmin === true && typeof room === "string" && room !== "" ? room : undefined;
}
