import type { CallEnd, DecisionStep, InboundTrunk } from "@trunkline/contracts";
import {
	attributesFromHeaders,
	type CallStore,
	type ConfigStore,
	DEFAULT_RINGING_TIMEOUT_MS,
	type DispatchDecision,
	headersFromAttributes,
	matchDispatchRule,
	matchInboundTrunk,
	MAX_CALL_DURATION_MS,
	participantForInbound,
	roomForCall,
} from "@trunkline/domain";
import { challenge, type Hashes, headers, type SipRequest, verifyAuthorization } from "@trunkline/sip";
import type { InboundOutcome, InboundPlan } from "./inbound-call.ts";
import type { HeaderList, InboundInvite } from "./ports.ts";
import type { Identities } from "./identities.ts";
import { sendableHeaders } from "./sendable-headers.ts";
import type { Decision } from "./state.ts";
import { UsedAnswers } from "./used-answers.ts";

export interface DecideOptions {
	configStore: ConfigStore;
	callStore: CallStore;
	projectId: string;
	strict: boolean;
	hashes: Hashes;
	nonceSecret: Uint8Array;
	random(length: number): Uint8Array;
	now(): number;
	/** of the calls that this node has; whoever runs the call releases it */
	identities: Identities;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

const NONCE_LIFETIME_MS = 60_000;
const DEFAULT_REALM = "Trunkline";

/** Trunk by called number, caller and source; then credentials; then the rule. A bounded number of key reads, whatever is stored. */
export function decideWith(
	options: DecideOptions,
): (invite: InboundInvite, request: SipRequest, callId: string) => Promise<InboundOutcome> {
	const used = new UsedAnswers(NONCE_LIFETIME_MS);
	return async (invite, request, callId) => {
		const { projectId, configStore } = options;
		const from = invite.from.user === "" ? "anonymous" : invite.from.user;
		const to = invite.to.user;
		const trunks = await configStore.inboundTrunksFor(projectId, to);
		const matched = matchInboundTrunk(trunks, { from, to, sourceAddress: invite.source.address });
		const steps: DecisionStep[] = [...matched.steps];
		const { trunk } = matched;
		const refused = (decision: Decision): InboundOutcome => ({ decision, steps, trunkId: trunk?.trunkId ?? "" });
		if (matched.problem !== undefined)
			return refused(reject(500, "Ambiguous Trunk", { by: "node", reason: "no-trunk", message: matched.problem }));
		if (trunk !== undefined) {
			const unauthorized = authorize(options, used, trunk, request, invite.sipCallId);
			if (unauthorized !== undefined) return refused(unauthorized);
		}
		const rules = await configStore.rulesFor(projectId, trunk?.trunkId);
		const dispatch = matchDispatchRule(rules, {
			from,
			to,
			strict: options.strict,
			...(trunk === undefined ? {} : { trunkId: trunk.trunkId }),
		});
		steps.push(...dispatch.steps);
		if (dispatch.outcome !== "accept") return refused(refusal(dispatch, trunk));
		if (trunk?.mediaEncryption === "REQUIRE" || dispatch.rule.mediaEncryption === "REQUIRE") return refused(ENCRYPTION_REQUIRED);
		const plan = await planFor(options, invite, callId, { trunk, rule: dispatch.rule, from, to });
		return {
			decision: {
				kind: "accept",
				ringingTimeoutMs: trunk?.ringingTimeoutMs ?? DEFAULT_RINGING_TIMEOUT_MS,
				maxCallDurationMs: trunk?.maxCallDurationMs ?? MAX_CALL_DURATION_MS,
			},
			steps,
			trunkId: plan.trunkId,
			plan,
		};
	};
}

/** undefined: let in. A trunk with a user name or a password asks for both; one of them alone must not leave it open. */
function authorize(
	options: DecideOptions,
	used: UsedAnswers,
	trunk: InboundTrunk,
	request: SipRequest,
	sipCallId: string,
): Decision | undefined {
	if (trunk.authUsername === "" && trunk.authPassword === "") return undefined;
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

function refusal(dispatch: Exclude<DispatchDecision, { outcome: "accept" }>, trunk: InboundTrunk | undefined): Decision {
	if (dispatch.outcome === "pin-required") {
		return reject(403, "PIN Required", {
			by: "node",
			reason: "wrong-pin",
			message: `dispatch rule ${dispatch.rule.ruleId} has a PIN, and callers cannot be asked for it yet`,
		});
	}
	if (trunk === undefined)
		return reject(404, "Does Not Match Any Trunk", { by: "node", reason: "no-trunk", message: "no inbound trunk takes this call" });
	return reject(404, "Does Not Match Any Dispatch Rule", { by: "node", reason: "no-rule", message: dispatch.message });
}

const reject = (status: number, reason: string, end: CallEnd): Decision => ({ kind: "reject", status, reason, end });

/** Nothing fails open: who asks for encryption is not given a call that anybody on the way can hear. */
const ENCRYPTION_REQUIRED = reject(488, "Not Acceptable Here", {
	by: "node",
	reason: "media-mismatch",
	message: "the trunk or rule requires encrypted media (SRTP), which this node does not have",
});

async function planFor(
	options: DecideOptions,
	invite: InboundInvite,
	callId: string,
	call: { trunk: InboundTrunk | undefined; rule: Extract<DispatchDecision, { outcome: "accept" }>["rule"]; from: string; to: string },
): Promise<InboundPlan> {
	const { trunk, rule, from, to } = call;
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
	let participant = participantForInbound(rule, facts, "ringing");
	const others = await options.callStore.liveCallsInRoom(options.projectId, roomName);
	const elsewhere = others.some((other) => other.participantIdentity === participant.identity);
	// In this order: an identity is not kept from others by a call that does not use it.
	if (elsewhere || !options.identities.take(callId, roomName, participant.identity)) {
		participant = participantForInbound(rule, { ...facts, identityTaken: true }, "ringing");
	}
	const mapped = attributesFromHeaders(
		invite.headers.map(([name, value]) => ({ name, value })),
		{
			includeHeaders: trunk?.includeHeaders ?? "NO",
			headersToAttributes: trunk?.headersToAttributes ?? {},
			hidePhoneNumber: rule.hidePhoneNumber,
		},
	);
	const attributes = { ...participant.attributes, ...mapped };
	const fixed = Object.entries(trunk?.headers ?? {});
	const fromAttributes = headersFromAttributes(attributes, trunk?.attributesToHeaders ?? {}).map(
		({ name, value }) => [name, value] as const,
	);
	const { headers: acceptHeaders, refused } = sendableHeaders([...fixed, ...fromAttributes]);
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
	};
}
