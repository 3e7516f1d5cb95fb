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
import type { Grants } from "./auth.ts";
import type { RpcContext } from "./deps.ts";
import { createDispatchRule, deleteDispatchRule, listDispatchRules } from "./routes/dispatch-rule.ts";
import { createInboundTrunk, getInboundTrunk, listInboundTrunks } from "./routes/inbound-trunk.ts";
import { createOutboundTrunk, deleteTrunk, getOutboundTrunk, listOutboundTrunks } from "./routes/outbound-trunk.ts";
import { createParticipant } from "./routes/participant.ts";
import { decode, type Encoding, encode } from "./twirp.ts";

export interface SipMethod {
	grant: keyof Grants;
	/** Reads the body; throws when it cannot be decoded. What it gives runs the method. */
	parse(body: Uint8Array, encoding: Encoding): (context: RpcContext) => Promise<Response>;
}

/** `livekit.SIP`, method by method. CreateSIPTrunk is missing: LiveKit has taken it out of the service. */
export const SIP_METHODS: ReadonlyMap<string, SipMethod> = new Map([
	["CreateSIPInboundTrunk", method("sipAdmin", CreateSIPInboundTrunkRequest, createInboundTrunk)],
	["CreateSIPOutboundTrunk", method("sipAdmin", CreateSIPOutboundTrunkRequest, createOutboundTrunk)],
	["UpdateSIPInboundTrunk", unimplemented("sipAdmin", UpdateSIPInboundTrunkRequest, "UpdateSIPInboundTrunk")],
	["UpdateSIPOutboundTrunk", unimplemented("sipAdmin", UpdateSIPOutboundTrunkRequest, "UpdateSIPOutboundTrunk")],
	["GetSIPInboundTrunk", method("sipAdmin", GetSIPInboundTrunkRequest, getInboundTrunk)],
	["GetSIPOutboundTrunk", method("sipAdmin", GetSIPOutboundTrunkRequest, getOutboundTrunk)],
	["ListSIPTrunk", unimplemented("sipAdmin", ListSIPTrunkRequest, "ListSIPTrunk", "; use ListSIPInboundTrunk and ListSIPOutboundTrunk")],
	["ListSIPInboundTrunk", method("sipAdmin", ListSIPInboundTrunkRequest, listInboundTrunks)],
	["ListSIPOutboundTrunk", method("sipAdmin", ListSIPOutboundTrunkRequest, listOutboundTrunks)],
	["DeleteSIPTrunk", method("sipAdmin", DeleteSIPTrunkRequest, deleteTrunk)],
	["CreateSIPDispatchRule", method("sipAdmin", CreateSIPDispatchRuleRequest, createDispatchRule)],
	["UpdateSIPDispatchRule", unimplemented("sipAdmin", UpdateSIPDispatchRuleRequest, "UpdateSIPDispatchRule")],
	["ListSIPDispatchRule", method("sipAdmin", ListSIPDispatchRuleRequest, listDispatchRules)],
	["DeleteSIPDispatchRule", method("sipAdmin", DeleteSIPDispatchRuleRequest, deleteDispatchRule)],
	["CreateSIPParticipant", method("sipCall", CreateSIPParticipantRequest, createParticipant)],
	["TransferSIPParticipant", unimplemented("sipCall", TransferSIPParticipantRequest, "TransferSIPParticipant")],
]);

function method<In extends Message<In>, Out extends Message<Out>>(
	grant: keyof Grants,
	type: MessageType<In>,
	run: (request: In, context: RpcContext) => Promise<Out>,
): SipMethod {
	return {
		grant,
		parse: (body, encoding) => {
			const request = decode(type, body, encoding);
			return async (context) => encode(await run(request, context), encoding);
		},
	};
}

function unimplemented<In extends Message<In>>(grant: keyof Grants, type: MessageType<In>, name: string, advice = ""): SipMethod {
	return method(grant, type, async (_request): Promise<never> => {
		throw new DomainError("unimplemented", `${name} is not implemented by this server${advice}`);
	});
}
