import type { Message, MessageType } from "@bufbuild/protobuf";
import {
	CreateSIPDispatchRuleRequest,
	CreateSIPInboundTrunkRequest,
	CreateSIPOutboundTrunkRequest,
	CreateSIPParticipantRequest,
	DeleteSIPDispatchRuleRequest,
	DeleteSIPTrunkRequest,
	GetSIPInboundTrunkRequest,
	GetSIPOutboundTrunkRequest,
	ListSIPDispatchRuleRequest,
	ListSIPInboundTrunkRequest,
	ListSIPOutboundTrunkRequest,
	ListSIPTrunkRequest,
	TransferSIPParticipantRequest,
	UpdateSIPDispatchRuleRequest,
	UpdateSIPInboundTrunkRequest,
	UpdateSIPOutboundTrunkRequest,
} from "@livekit/protocol";
import { DomainError } from "@trunkline/domain";
import type { RpcContext } from "./deps.ts";
import type { Grants } from "./grants.ts";
import { createDispatchRule, deleteDispatchRule, listDispatchRules, updateDispatchRule } from "./routes/dispatch-rule.ts";
import { createInboundTrunk, getInboundTrunk, listInboundTrunks, updateInboundTrunk } from "./routes/inbound-trunk.ts";
import { createOutboundTrunk, getOutboundTrunk, listOutboundTrunks, updateOutboundTrunk } from "./routes/outbound-trunk.ts";
import { createParticipant } from "./routes/participant.ts";
import { mayTransfer, transferParticipant } from "./routes/transfer.ts";
import { deleteTrunk, listTrunks } from "./routes/trunk.ts";
import { decode, type Encoding, encode } from "./twirp.ts";

export interface SipMethod {
	/** Reads the body; throws when it cannot be decoded. What it gives checks the caller's grants and runs the method. */
	parse(body: Uint8Array, encoding: Encoding): (context: RpcContext) => Promise<Response>;
}

/** Whether these grants allow this request. */
type Allowed<T> = (grants: Grants, request: T) => boolean;

const admin: Allowed<unknown> = ({ sipAdmin }) => sipAdmin;
const call: Allowed<unknown> = ({ sipCall }) => sipCall;

/** `livekit.SIP`, method by method. */
export const SIP_METHODS: ReadonlyMap<string, SipMethod> = new Map([
	["CreateSIPInboundTrunk", method(admin, CreateSIPInboundTrunkRequest, createInboundTrunk)],
	["CreateSIPOutboundTrunk", method(admin, CreateSIPOutboundTrunkRequest, createOutboundTrunk)],
	["UpdateSIPInboundTrunk", method(admin, UpdateSIPInboundTrunkRequest, updateInboundTrunk)],
	["UpdateSIPOutboundTrunk", method(admin, UpdateSIPOutboundTrunkRequest, updateOutboundTrunk)],
	["GetSIPInboundTrunk", method(admin, GetSIPInboundTrunkRequest, getInboundTrunk)],
	["GetSIPOutboundTrunk", method(admin, GetSIPOutboundTrunkRequest, getOutboundTrunk)],
	["ListSIPTrunk", method(admin, ListSIPTrunkRequest, listTrunks)],
	["ListSIPInboundTrunk", method(admin, ListSIPInboundTrunkRequest, listInboundTrunks)],
	["ListSIPOutboundTrunk", method(admin, ListSIPOutboundTrunkRequest, listOutboundTrunks)],
	["DeleteSIPTrunk", method(admin, DeleteSIPTrunkRequest, deleteTrunk)],
	["CreateSIPDispatchRule", method(admin, CreateSIPDispatchRuleRequest, createDispatchRule)],
	["UpdateSIPDispatchRule", method(admin, UpdateSIPDispatchRuleRequest, updateDispatchRule)],
	["ListSIPDispatchRule", method(admin, ListSIPDispatchRuleRequest, listDispatchRules)],
	["DeleteSIPDispatchRule", method(admin, DeleteSIPDispatchRuleRequest, deleteDispatchRule)],
	["CreateSIPParticipant", method(call, CreateSIPParticipantRequest, createParticipant)],
	["TransferSIPParticipant", method(mayTransfer, TransferSIPParticipantRequest, transferParticipant)],
]);

/** Methods that LiveKit has taken out of the service and old SDKs still call: what to do instead. */
export const REMOVED_METHODS: ReadonlyMap<string, string> = new Map([
	[
		"CreateSIPTrunk",
		"CreateSIPTrunk is no more: a trunk is for one direction now; use CreateSIPInboundTrunk for calls that come in (in SDKs createSipInboundTrunk) and CreateSIPOutboundTrunk for calls that go out (createSipOutboundTrunk)",
	],
]);

function method<In extends Message<In>, Out extends Message<Out>>(
	allowed: Allowed<In>,
	type: MessageType<In>,
	run: (request: In, context: RpcContext) => Promise<Out>,
): SipMethod {
	return {
		parse: (body, encoding) => {
			const request = decode(type, body, encoding);
			return async (context) => {
				// LiveKit says "unauthenticated" even to a valid token that lacks the grant.
				if (!allowed(context.grants, request)) throw new DomainError("unauthenticated", "permissions denied");
				return encode(await run(request, context), encoding);
			};
		},
	};
}
