"""Drives the SIP API with LiveKit's own Python client and prints what it saw, one JSON object a line.

Arguments: URL, API key, API secret, room of a call that is dialled, address (host:port) of a phone that answers.
"""

import asyncio
import json
import sys

from google.protobuf.json_format import MessageToDict
from livekit import api
from livekit.protocol.models import ListUpdate


def say(step, message):
    print(json.dumps({"step": step, **MessageToDict(message, preserving_proto_field_name=True)}), flush=True)


def fail(step, error):
    print(json.dumps({"step": step, "code": error.code, "status": error.status, "msg": error.message, "meta": error.metadata}), flush=True)


async def trunks(sip):
    trunk = await sip.create_inbound_trunk(
        api.CreateSIPInboundTrunkRequest(
            trunk=api.SIPInboundTrunkInfo(name="in", numbers=["+15550700"], auth_username="u", auth_password="hunter2")
        )
    )
    say("inbound", trunk)
    say("inbound fields", await sip.update_inbound_trunk_fields(trunk.sip_trunk_id, numbers=ListUpdate(add=["+15550701"]), name="renamed"))
    say("inbound replaced", await sip.update_inbound_trunk(trunk.sip_trunk_id, api.SIPInboundTrunkInfo(numbers=["+15550702"])))
    say("inbound list", await sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest(numbers=["15550702"])))
    try:
        await sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=api.SIPInboundTrunkInfo(numbers=["+1 555 0702"])))
    except api.TwirpError as error:
        fail("inbound conflict", error)
    return trunk.sip_trunk_id


async def rules(sip, trunk_id):
    rule = await sip.create_dispatch_rule(
        api.CreateSIPDispatchRuleRequest(
            dispatch_rule=api.SIPDispatchRuleInfo(
                name="rule",
                trunk_ids=[trunk_id],
                rule=api.SIPDispatchRule(dispatch_rule_individual=api.SIPDispatchRuleIndividual(room_prefix="call")),
            )
        )
    )
    say("rule", rule)
    say("rule fields", await sip.update_dispatch_rule_fields(rule.sip_dispatch_rule_id, name="other", attributes={"a": "b"}))
    say("rule list", await sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest(trunk_ids=[trunk_id])))
    say("rule deleted", await sip.delete_dispatch_rule(api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id)))


async def calls(sip, room, address):
    trunk = await sip.create_outbound_trunk(
        api.CreateSIPOutboundTrunkRequest(trunk=api.SIPOutboundTrunkInfo(name="out", address=address, numbers=["+15550700"]))
    )
    say("outbound", trunk)
    say("outbound fields", await sip.update_outbound_trunk_fields(trunk.sip_trunk_id, metadata="m"))
    request = api.CreateSIPParticipantRequest(
        sip_trunk_id=trunk.sip_trunk_id,
        sip_call_to="+15550199",
        room_name=room,
        participant_identity="callee",
        wait_until_answered=True,
    )
    say("call", await sip.create_sip_participant(request, timeout=30))
    request.sip_trunk_id = "ST_none"
    try:
        await sip.create_sip_participant(request)
    except api.TwirpError as error:
        fail("call without trunk", error)
    try:
        await sip.transfer_sip_participant(
            api.TransferSIPParticipantRequest(room_name=room, participant_identity="callee", transfer_to="+15550700")
        )
    except api.TwirpError as error:
        fail("transfer to no URI", error)
    say("trunk deleted", await sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id)))


async def main(url, key, secret, room, address):
    async with api.LiveKitAPI(url, key, secret) as client:
        trunk_id = await trunks(client.sip)
        await rules(client.sip, trunk_id)
        await calls(client.sip, room, address)


asyncio.run(main(*sys.argv[1:]))
