import type { CallEnd, DecisionStep, DispatchRule, InboundTrunk } from "@trunkline/contracts";
import {
	asksForCredentials,
	callerOf,
	type CallStore,
	type ConfigStore,
	type ArrivalRegion,
	decideRuleIn,
	decideTrunk,
	elsewhere,
	DEFAULT_RINGING_TIMEOUT_MS,
	effectiveSettings,
	headersFromAttributes,
	MAX_CALL_DURATION_MS,
	mergeMedia,
	participantForInbound,
	roomForCall,
	trunkNumberOf,
} from "@trunkline/domain";
import {
	challenge,
	type Hashes,
	headers,
	readReplaces,
	type Replaces,
	type SipRequest,
	verifyAuthorization,
	tooSmall,
} from "@trunkline/sip";
import { callerWords, ruleForCaller } from "./caller-words.ts";
import type { InboundOutcome, InboundPlan } from "./inbound-call.ts";
import type { HeaderList, InboundInvite, ReplaceableCall } from "./ports.ts";
import type { Identities } from "./identities.ts";
import type { TermsInput } from "./media-terms.ts";
import { suppressionOf } from "./noise.ts";
import { sendableHeaders } from "./sendable-headers.ts";
import { PinLocks } from "./pin-locks.ts";
import { lockedOut, type PinAsked, pinQuestion } from "./pin-question.ts";
import { replacesRefusal } from "./replaceable.ts";
import type { Decision } from "./state.ts";
import { turnAway } from "./decide-region.ts";
import { allowHeaders } from "./transfer-state.ts";
import type { TrunkLimits, TrunkRefusal } from "./trunk-limits.ts";
import { UsedAnswers } from "./used-answers.ts";

export interface DecideOptions {
	configStore: ConfigStore;
	callStore: CallStore;
	/** whose number that is, asked from this source; undefined = nobody's */
	projectFor(calledNumber: string, source: string): Promise<string | undefined>;
	strict: boolean;
	/** where this is; unset: one that no trunk or rule names, so that none is pinned to it */
	here?: ArrivalRegion;
	hashes: Hashes;
	nonceSecret: Uint8Array;
	random(length: number): Uint8Array;
	now(): number;
	/** the live call of this node that a Replaces names; unset: there is none */
	replaceable?(replaces: Replaces): ReplaceableCall | undefined;
	/** of the calls that this node has; whoever runs the call releases it */
	identities: Identities;
	/** `settings.limits` of trunks; whoever runs the call releases its slot */
	trunkLimits?: TrunkLimits;
	/** wrong PINs so far; unset: of this decider alone */
	pinLocks?: PinLocks;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

const NOWHERE: ArrivalRegion = { region: "", sipAddress: () => undefined };
const NONCE_LIFETIME_MS = 60_000;
const DEFAULT_REALM = "Trunkline";

/** Trunk by called number, caller and source; then credentials; then the rule. A bounded number of key reads, whatever is stored. */
export function decideWith(
	options: DecideOptions,
): (invite: InboundInvite, request: SipRequest, callId: string) => Promise<InboundOutcome> {
	const used = new UsedAnswers(NONCE_LIFETIME_MS);
	const locks = options.pinLocks ?? new PinLocks();
	return async (invite, request, callId) => {
		const { configStore } = options;
		const from = callerOf(invite.from.user);
		const whose = await whoseCall(options, invite, request);
		if ("decision" in whose) return whose;
		const { read, called, projectId, replaced } = whose;
		const trunks = await configStore.inboundTrunksFor(projectId, called);
		const { trunk, ...byTrunk } = decideTrunk(trunks, { from, to: called, sourceAddress: invite.source.address });
		const steps: DecisionStep[] = [...byTrunk.steps];
		const refused = (decision: Decision): InboundOutcome => ({ decision, steps, trunkId: trunk?.trunkId ?? "", projectId });
		if (byTrunk.refusal !== undefined) return refused({ kind: "reject", ...byTrunk.refusal });
		const here = options.here ?? NOWHERE;
		const away = { trunkId: trunk?.trunkId ?? "", called };
		// Before anything is counted or remembered of the call.
		const byTrunkAway = elsewhere(here, trunk);
		if (byTrunkAway !== undefined) return turnAway(byTrunkAway, away);
		if (trunk !== undefined) {
			const refusal = refusedByTrunk(options, used, trunk, { request, sipCallId: invite.sipCallId, callId });
			if (refusal !== undefined) return refused(refusal);
		}
		if (read.replaces !== undefined) return { ...refused(replacing(read.replaces, replaced, trunk)), ...(replaced && { replaced }) };
		const to = trunkNumberOf(trunk, called);
		const rules = await configStore.rulesFor(projectId, trunk?.trunkId, to);
		const { byRule, elsewhere: byRuleAway } = decideRuleIn(here, rules, { from, to, trunk, strict: options.strict });
		if (byRuleAway !== undefined) return turnAway(byRuleAway, away);
		steps.push(...byRule.steps);
		const planWith = (rule: DispatchRule, status: "ringing" | "active"): Promise<InboundPlan> =>
			planFor(options, projectId, invite, callId, { trunk, rule, from, to }, status);
		if (byRule.asksForPin !== undefined && byRule.rule !== undefined) {
			const asked = { projectId, trunk, from, to, source: invite.source.address };
			const call = { trunk, rule: byRule.rule, from, to };
			return askingForPin(options, locks, refused, { asked, call, length: byRule.asksForPin.length, planWith });
		}
		if (byRule.refusal !== undefined) return refused({ kind: "reject", ...byRule.refusal });
		const plan = await planWith(byRule.rule, "ringing");
		return { ...refused(acceptedBy(trunk, plan)), trunkId: plan.trunkId, plan };
	};
}

type Whose = { read: Replaced; called: string; projectId: string; replaced: ReplaceableCall | undefined };
type Replaced = Extract<ReturnType<typeof readReplaces>, { ok: true }>;

/** Whose call it is: the project of the number, or of the call that it is to take the place of. An outcome: nobody's, or not to be understood. */
async function whoseCall(options: DecideOptions, invite: InboundInvite, request: SipRequest): Promise<Whose | InboundOutcome> {
	const read = readReplaces(request);
	if (!read.ok) return { decision: replacesRejected(read.status, read.reason), steps: [], trunkId: "" };
	const replaced = read.replaces && options.replaceable?.(read.replaces);
	const called = replaced?.ownNumber ?? invite.to.user;
	const projectId = replaced?.projectId ?? (await options.projectFor(called, invite.source.address));
	if (projectId === undefined) return { decision: nobodysNumber, steps: [], trunkId: "" };
	return { read, called, projectId, replaced };
}

/** The call is answered before it is known whose it is. */
function askingForPin(
	{ configStore, strict, now, here }: DecideOptions,
	locks: PinLocks,
	outcomeOf: (decision: Decision) => InboundOutcome,
	question: {
		asked: Omit<PinAsked, "configStore" | "locks" | "strict" | "now" | "planFor" | "region">;
		call: RuledCall;
		length: number | undefined;
		planWith(rule: DispatchRule, status: "active"): Promise<InboundPlan>;
	},
): InboundOutcome {
	const { call, length, planWith } = question;
	const asked: PinAsked = {
		...question.asked,
		configStore,
		locks,
		strict,
		now,
		region: here?.region,
		planFor: (rule) => planWith(rule, "active"),
	};
	const locked = lockedOut(asked);
	if (locked !== undefined) return outcomeOf(locked);
	const { maxCallDurationMs = MAX_CALL_DURATION_MS } = call.trunk ?? {};
	const decision: Decision = { kind: "ask-pin", maxCallDurationMs, ...(length === undefined ? {} : { length }) };
	return { ...outcomeOf(decision), plan: planBeforePin(call), askPin: pinQuestion(asked) };
}

/** 503 and never 486: carriers then try another route, or later (RFC 3261 §21.5.4), in the place of telling the caller that somebody is busy. */
const beyondLimits = ({ message, retryAfterSeconds }: TrunkRefusal): Decision => ({
	kind: "reject",
	status: 503,
	reason: "Trunk At Capacity",
	end: { by: "node", reason: "rejected", message },
	headers: [["Retry-After", String(retryAfterSeconds)]],
});

const acceptedBy = (trunk: InboundTrunk | undefined, { suppression }: InboundPlan): Decision => ({
	kind: "accept",
	ringingTimeoutMs: trunk?.ringingTimeoutMs ?? DEFAULT_RINGING_TIMEOUT_MS,
	maxCallDurationMs: trunk?.maxCallDurationMs ?? MAX_CALL_DURATION_MS,
	...(trunk?.settings === undefined ? {} : { settings: trunk.settings }),
	...(suppression && { suppression }),
});

const nobodysNumber: Decision = {
	kind: "reject",
	status: 404,
	reason: "Does Not Match Any Trunk",
	end: { by: "node", reason: "no-trunk", message: "no project has a trunk for the called number and this source" },
};

/** undefined: let in. */
function authorize(
	options: DecideOptions,
	used: UsedAnswers,
	trunk: InboundTrunk,
	request: SipRequest,
	sipCallId: string,
): Decision | undefined {
	if (!asksForCredentials(trunk)) return undefined;
	const realm = trunk.authRealm === "" ? DEFAULT_REALM : trunk.authRealm;
	const nonce = { hashes: options.hashes, secret: options.nonceSecret, realm, scope: sipCallId, now: options.now() };
	const verdict = verifyAuthorization({
		...nonce,
		values: [...headers(request, "proxy-authorization"), ...headers(request, "authorization")],
		method: request.method,
		requestUri: request.uri,
		username: trunk.authUsername,
		password: trunk.authPassword,
		nonceLifetime: NONCE_LIFETIME_MS,
		unused: (given, nc) => used.use(given, nc, nonce.now),
	});
	switch (verdict) {
		case "ok":
			return undefined;
		case "missing":
		case "stale": {
			const stale = verdict === "stale";
			const headerList: HeaderList = [
				["Proxy-Authenticate", challenge({ ...nonce, algorithm: "SHA-256", stale })],
				["Proxy-Authenticate", challenge({ ...nonce, algorithm: "MD5", stale })],
			];
			return { kind: "challenge", status: 407, headers: headerList };
		}
		case "malformed":
			return reject(400, "Bad Proxy-Authorization", { by: "node", reason: "unauthorized", message: "the credentials are malformed" });
		case "refused":
			return reject(403, "Forbidden", { by: "node", reason: "unauthorized", message: "wrong user name or password for the trunk" });
	}
}

/** Credentials, the length of the session, the trunk's limits; undefined: let in. */
function refusedByTrunk(
	options: DecideOptions,
	used: UsedAnswers,
	trunk: InboundTrunk,
	{ request, sipCallId, callId }: { request: SipRequest; sipCallId: string; callId: string },
): Decision | undefined {
	const refusal = authorize(options, used, trunk, request, sipCallId) ?? shortSession(request, trunk);
	if (refusal !== undefined) return refusal;
	const full = options.trunkLimits?.admit(trunk.trunkId, callId, trunk.settings?.limits, options.now());
	return full === undefined ? undefined : beyondLimits(full);
}

function replacing(replaces: Replaces, replaced: ReplaceableCall | undefined, trunk: InboundTrunk | undefined): Decision {
	const refusal = replacesRefusal(replaces, replaced, effectiveSettings(trunk?.settings).transfer.replaces);
	return refusal === undefined ? { kind: "take-over" } : replacesRejected(...refusal);
}

const replacesRejected = (status: number, reason: string): Decision =>
	reject(status, reason, { by: "node", reason: "rejected", message: `the call that the INVITE is to replace: ${status} ${reason}` });

/** A session interval that is too short for the trunk (RFC 4028 §9): the caller learns what would do, and calls again with that. */
function shortSession(request: SipRequest, trunk: InboundTrunk): Decision | undefined {
	const short = tooSmall(request, effectiveSettings(trunk.settings).sessionTimer);
	if (short === undefined) return undefined;
	const end: CallEnd = {
		by: "node",
		reason: "rejected",
		message: "the session interval that the caller asks for is too short for the trunk",
	};
	return { kind: "reject", status: short.status, reason: "Session Interval Too Small", end, headers: short.headers };
}

const reject = (status: number, reason: string, end: CallEnd): Decision => ({ kind: "reject", status, reason, end });

interface RuledCall {
	trunk: InboundTrunk | undefined;
	rule: DispatchRule;
	from: string;
	to: string;
}

/** Of a caller who is asked for a PIN: codecs and encryption as the best rule has them; whose room it is comes later. */
function planBeforePin({ trunk, rule, from, to }: RuledCall): InboundPlan {
	const fixed = acceptHeadersOf(trunk, {});
	return {
		trunkId: trunk?.trunkId ?? "",
		ruleId: "",
		room: { roomName: "", identity: "", name: "", metadata: "", attributes: {} },
		from,
		to,
		acceptHeaders: fixed.headers,
		attributesToHeaders: trunk?.attributesToHeaders ?? {},
		terms: termsOf(trunk, rule),
		...(trunk?.settings === undefined ? {} : { settings: trunk.settings }),
	};
}

async function planFor(
	options: DecideOptions,
	projectId: string,
	invite: InboundInvite,
	callId: string,
	call: RuledCall,
	status: "ringing" | "active",
): Promise<InboundPlan> {
	const { trunk, from, to } = call;
	const rule = ruleForCaller(call.rule, invite.headers);
	const roomName = roomForCall(rule, { from, to, random: options.random });
	const facts = {
		callId,
		sipCallId: invite.sipCallId,
		remoteTag: invite.remoteTag,
		from,
		fromHost: invite.from.host,
		to,
		trunkId: trunk?.trunkId ?? "",
	};
	const wished = participantForInbound(rule, facts, status);
	const isFree = await takeIdentity(options, { projectId, callId, roomName, identity: wished.identity });
	const participant = isFree ? wished : participantForInbound(rule, { ...facts, identityTaken: true }, status);
	const words = callerWords(invite.headers, trunk, rule);
	const attributes = { ...participant.attributes, ...words.attributes };
	const { headers: acceptHeaders, refused } = acceptHeadersOf(trunk, attributes);
	if (refused.length > 0) options.log.warn({ callId, refused }, "headers that cannot be sent were left out");
	return {
		trunkId: trunk?.trunkId ?? "",
		ruleId: rule.ruleId,
		room: {
			roomName,
			identity: participant.identity,
			name: participant.name,
			metadata: participant.metadata,
			attributes,
			...(rule.roomPreset === "" ? {} : { roomPreset: rule.roomPreset }),
			...(rule.roomConfig === undefined ? {} : { roomConfig: rule.roomConfig }),
		},
		from,
		to,
		acceptHeaders,
		attributesToHeaders: trunk?.attributesToHeaders ?? {},
		attributesFrom: words.attributesFrom,
		terms: termsOf(trunk, rule),
		...(trunk?.settings === undefined ? {} : { settings: trunk.settings }),
		...suppressionOf(trunk?.krispEnabled === true || rule.krispEnabled, trunk?.settings),
	};
}

/** false: another call in the room has it. */
async function takeIdentity(
	{ callStore, identities }: DecideOptions,
	{ projectId, callId, roomName, identity }: { projectId: string; callId: string; roomName: string; identity: string },
): Promise<boolean> {
	const others = await callStore.liveCallsInRoom(projectId, roomName);
	// In this order: an identity is not kept from others by a call that does not use it.
	return !others.some((other) => other.participantIdentity === identity) && identities.take(callId, roomName, identity);
}

/** What the trunk wants in answers to INVITEs; `refused` are names that cannot be sent. */
function acceptHeadersOf(
	trunk: InboundTrunk | undefined,
	attributes: Readonly<Record<string, string>>,
): ReturnType<typeof sendableHeaders> {
	const fixed = Object.entries(trunk?.headers ?? {});
	const mapped = headersFromAttributes(attributes, trunk?.attributesToHeaders ?? {}).map(({ name, value }) => [name, value] as const);
	return sendableHeaders([...fixed, ...mapped, ...allowHeaders(trunk?.settings)]);
}

/** The trunk's codecs and encryption, and the rule's on top. */
function termsOf(trunk: InboundTrunk | undefined, rule: DispatchRule): TermsInput {
	const media = mergeMedia(trunk ?? { mediaEncryption: "DISABLE" }, rule);
	return { encryption: media?.encryption ?? "DISABLE", media, keying: effectiveSettings(trunk?.settings).srtp.keying };
}
