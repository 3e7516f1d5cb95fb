import type {
	CallRecord,
	DialRequest,
	IncludeHeaders,
	MediaConfig,
	MediaEncryption,
	OutboundTrunk,
	RandomBytes,
	Transport,
} from "@trunkline/contracts";
import { checkAttributes, checkDuration, checkMetadata, checkText, hasControlCharacter, invalid } from "../check.ts";
import { DomainError } from "../errors.ts";
import { checkHeaderMaps, checkHeaders, mergeHeaders, tokenProblem } from "../headers.ts";
import { DEFAULT_RINGING_TIMEOUT_MS, MAX_CALL_DURATION_MS, MAX_DTMF_LENGTH } from "../limits.ts";
import { checkMedia, mergeMedia } from "../media.ts";
import { sipUriText, type UriChoice } from "../sip-uri.ts";
import { checkCountry, checkHost } from "../host.ts";

/** `livekit.SIPOutboundConfig`: a trunk that lives only in the request. */
export interface InlineTrunk {
	hostname: string;
	transport: Transport;
	destinationCountry: string;
	authUsername: string;
	authPassword: string;
	headersToAttributes: Record<string, string>;
	attributesToHeaders: Record<string, string>;
	fromHost: string;
}

/** `livekit.CreateSIPParticipantRequest`, unset fields at their zero value. */
export interface ParticipantRequest {
	trunkId: string;
	inlineTrunk?: InlineTrunk;
	callTo: string;
	/** our number; "" = one of the trunk's */
	number: string;
	toUserOverride: string;
	requestUri?: UriChoice;
	fromHeader?: { uri: UriChoice; displayName: string };
	displayName?: string;
	roomName: string;
	participantIdentity: string;
	participantName: string;
	participantMetadata: string;
	participantAttributes: Record<string, string>;
	dtmf: string;
	playDialtone: boolean;
	hidePhoneNumber: boolean;
	headers: Record<string, string>;
	includeHeaders: IncludeHeaders;
	ringingTimeoutMs?: number;
	maxCallDurationMs?: number;
	krispEnabled: boolean;
	mediaEncryption: MediaEncryption;
	media?: MediaConfig;
	waitUntilAnswered: boolean;
	destination?: { city: string; country: string; region: string };
}

const MAX_DISPLAY_NAME_LENGTH = 128;

/** Throws `invalid_argument` unless the request can be dialled, trunk apart; texts are LiveKit's where it checks the same. */
export function validateParticipantRequest(request: ParticipantRequest): void {
	checkTrunkChoice(request);
	if (request.callTo === "") throw invalid("missing sip callee number");
	if (request.callTo.includes("@")) throw invalid("SipCallTo should be a phone number or SIP user, not a full SIP URI");
	checkUser("SipCallTo", request.callTo);
	checkUser("SipNumber", request.number);
	checkToUserOverride(request.toUserOverride);
	uriOverrides(request);
	if (request.roomName === "") throw invalid("missing room name");
	checkDisplayName(request.displayName);
	checkDestination(request.destination);
	checkHeaders(request.headers);
	checkParticipant(request);
	checkText("dtmf", request.dtmf, MAX_DTMF_LENGTH);
	checkDuration("ringing_timeout", request.ringingTimeoutMs, MAX_CALL_DURATION_MS);
	checkDuration("max_call_duration", request.maxCallDurationMs, MAX_CALL_DURATION_MS);
	checkMedia(request.media);
}

/**
 * What a node needs to place the call. The request must be valid; `trunk` is the stored one of `request.trunkId`, unset for an inline one.
 * `maxRingingMs` caps the ringing, for an API that cannot wait longer. Throws `failed_precondition` when there is no number to call from.
 */
export function buildDialRequest(
	request: ParticipantRequest,
	trunk: OutboundTrunk | undefined,
	{ random, maxRingingMs }: { random: RandomBytes; maxRingingMs?: number },
): DialRequest {
	const line = trunk ?? storedForm(request.inlineTrunk);
	const media = mergeMedia(line, request);
	const ringingTimeoutMs = request.ringingTimeoutMs || DEFAULT_RINGING_TIMEOUT_MS;
	return {
		trunkId: trunk?.trunkId ?? "",
		address: line.address,
		transport: line.transport,
		callTo: dialable(request.callTo),
		from: callerNumber(request.number, line, random),
		fromHost: line.fromHost,
		...(line.destinationCountry === "" ? {} : { destinationCountry: line.destinationCountry }),
		authUsername: line.authUsername,
		authPassword: line.authPassword,
		...(request.displayName === undefined ? {} : { displayName: request.displayName }),
		toUserOverride: request.toUserOverride,
		...uriOverrides(request),
		roomName: request.roomName,
		participantIdentity: request.participantIdentity === "" ? `sip_${request.callTo}` : request.participantIdentity,
		participantName: request.participantName,
		participantMetadata: request.participantMetadata,
		participantAttributes: request.participantAttributes,
		dtmf: request.dtmf,
		playDialtone: request.playDialtone,
		hidePhoneNumber: request.hidePhoneNumber,
		headers: mergeHeaders(line.headers, request.headers),
		headersToAttributes: line.headersToAttributes,
		attributesToHeaders: line.attributesToHeaders,
		includeHeaders: request.includeHeaders === "NO" ? line.includeHeaders : request.includeHeaders,
		ringingTimeoutMs: Math.min(ringingTimeoutMs, maxRingingMs ?? ringingTimeoutMs),
		maxCallDurationMs: request.maxCallDurationMs || MAX_CALL_DURATION_MS,
		krispEnabled: request.krispEnabled,
		mediaEncryption: media?.encryption ?? "DISABLE",
		...(media === undefined ? {} : { media }),
		waitUntilAnswered: request.waitUntilAnswered,
		...(trunk?.settings === undefined ? {} : { settings: trunk.settings }),
	};
}

/** Seconds that a call's record outlives its creation. */
const CALL_RETENTION_SECONDS = 30 * 24 * 3600;

/** The record of a call that waits to be claimed. `now` in ms since the epoch. */
export function queuedCall(call: {
	callId: string;
	projectId: string;
	region: string;
	request: DialRequest;
	now: number;
	/** of the API request that asks for it */
	requestId?: string;
}): CallRecord {
	const { callId, projectId, region, request, now, requestId } = call;
	return {
		callId,
		projectId,
		region,
		direction: "outbound",
		...(requestId === undefined ? {} : { requestId }),
		state: "queued",
		version: 1,
		trunkId: request.trunkId,
		ruleId: "",
		roomName: request.roomName,
		participantIdentity: request.participantIdentity,
		participantId: "",
		from: request.from,
		to: request.callTo,
		sipCallId: "",
		request,
		timeline: [{ at: now, event: "queued" }],
		createdAt: now,
		expiresAtSeconds: Math.floor(now / 1000) + CALL_RETENTION_SECONDS,
	};
}

/** Below the 10 s after which LiveKit's clients give up. */
const CLAIM_WITHIN_MS = 9_000;

/**
 * Until when (ms since the epoch) a node may claim a queued call. The API request that made the call cancels it then; that a node claims it no later
 * either is for the case that the request's process died.
 */
export function claimDeadline({ createdAt }: Pick<CallRecord, "createdAt">): number {
	return createdAt + CLAIM_WITHIN_MS;
}

function checkTrunkChoice({ trunkId, inlineTrunk, number }: ParticipantRequest): void {
	if (trunkId !== "") return;
	if (inlineTrunk === undefined) throw invalid(number === "" ? "missing sip trunk id and sip number" : "missing sip trunk id");
	if (inlineTrunk.hostname === "") throw invalid("no outbound hostname specified");
	checkHost("trunk hostname", inlineTrunk.hostname);
	checkHost("from_host", inlineTrunk.fromHost);
	checkCountry("destination_country", inlineTrunk.destinationCountry);
	checkText("auth_username", inlineTrunk.authUsername);
	checkText("auth_password", inlineTrunk.authPassword);
	checkHeaderMaps(inlineTrunk);
}

/** User parts end up in URIs and name-addrs: what could end one there is refused. */
function checkUser(field: string, user: string): void {
	checkText(field, user);
	if (/[<>"\\@]/.test(user)) throw invalid(`${field} should be a phone number or SIP user: it must not contain < > " \\ or @`);
}

function checkToUserOverride(user: string): void {
	if (user.includes("@")) throw invalid("ToUserOverride should be a phone number or SIP user, not a full SIP URI");
	const problem = tokenProblem(user);
	if (problem !== undefined) throw invalid(`ToUserOverride contains invalid characters: ${problem}`);
}

/** Throws `invalid_argument` unless what is set is a SIP URI. */
function uriOverrides({ requestUri, fromHeader }: ParticipantRequest): Pick<DialRequest, "requestUri" | "fromHeader"> {
	if (fromHeader !== undefined) checkDisplayName(fromHeader.displayName);
	return {
		...(requestUri === undefined ? {} : { requestUri: sipUriText("sip_request_uri", requestUri) }),
		...(fromHeader === undefined
			? {}
			: { fromHeader: { uri: sipUriText("sip_from_header", fromHeader.uri), displayName: fromHeader.displayName } }),
	};
}

function checkDisplayName(displayName: string | undefined): void {
	if (displayName === undefined) return;
	if (displayName.length > MAX_DISPLAY_NAME_LENGTH) throw invalid(`DisplayName too long (max ${MAX_DISPLAY_NAME_LENGTH} characters)`);
	if (hasControlCharacter(displayName) || /["\\]/.test(displayName))
		throw invalid("DisplayName must be a valid quoted string: invalid syntax");
}

function checkDestination(destination: ParticipantRequest["destination"]): void {
	if (destination === undefined) return;
	const { city, country, region } = destination;
	if (city !== "" && country === "" && region === "") throw invalid("if city is specified, country or region must also be specified");
	checkCountry("country", country);
}

function checkParticipant(request: ParticipantRequest): void {
	checkText("room_name", request.roomName);
	checkText("participant_identity", request.participantIdentity);
	checkText("participant_name", request.participantName);
	checkMetadata("participant_metadata", request.participantMetadata);
	checkAttributes("participant_attributes", request.participantAttributes);
}

type Line = Omit<OutboundTrunk, "trunkId" | "kind" | "name" | "metadata" | "createdAt" | "updatedAt" | "version">;

function storedForm(inline: InlineTrunk | undefined): Line {
	if (inline === undefined) throw new Error("a participant request needs a trunk");
	const { hostname, ...rest } = inline;
	return { ...rest, address: hostname, numbers: [], headers: {}, includeHeaders: "NO", mediaEncryption: "DISABLE" };
}

function callerNumber(wanted: string, line: Line, random: RandomBytes): string {
	const own = line.numbers.filter((number) => number !== "*");
	// The remainder's bias is 1 in 2^32 / numbers: nobody hears it.
	const number = wanted === "" ? own[randomUint32(random) % Math.max(1, own.length)] : wanted;
	if (number === undefined) throw new DomainError("failed_precondition", "no numbers on outbound trunk");
	const from = dialable(number);
	// Twilio refuses caller numbers that are not E.164 with their plus.
	return isTwilio(line.address) && /^\d+$/.test(from) ? `+${from}` : from;
}

function isTwilio(address: string): boolean {
	const host = address.replace(/:\d+$/, "").toLowerCase();
	return host === "twilio.com" || host.endsWith(".twilio.com");
}

/** RFC 3966 §5.1.1: visual separators are for people; in a SIP user part they would have to be escaped. Anything but a number stays as it is. */
function dialable(user: string): string {
	return /^\+?[\d\- ()]+$/.test(user) ? user.replace(/[ \-()]/g, "") : user;
}

function randomUint32(random: RandomBytes): number {
	return random(4).reduce((sum, byte) => sum * 256 + byte, 0);
}
