import { RoomAgentDispatch, RoomConfiguration } from "@livekit/protocol";
import { TokenVerifier } from "livekit-server-sdk";
import { expect, it } from "vitest";
import { joinToken } from "./token.ts";

const base = { apiKey: "devkey", apiSecret: "secret", room: "support", identity: "sip_+15550100", name: "Phone +15550100", metadata: "{}" };

it("a token is of kind SIP, for one room, with the grants of a telephone, for a day", async () => {
	const claims = await new TokenVerifier("devkey", "secret").verify(await joinToken({ ...base, attributes: { "sip.callID": "SCL_1" } }));
	expect(claims).toMatchObject({ name: base.name, metadata: "{}", attributes: { "sip.callID": "SCL_1" }, kind: "sip" });
	expect(claims.video).toEqual({
		roomJoin: true,
		room: "support",
		canPublish: true,
		canSubscribe: true,
		canPublishData: true,
		canUpdateOwnMetadata: true,
	});
	expect(claims.sub).toBe(base.identity);
	expect((claims.exp ?? 0) - (claims.nbf ?? 0)).toBe(24 * 3600);
	expect(claims.roomConfig).toBeUndefined();
});

it("carries the room's preset, configuration and another lifetime", async () => {
	const roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName: "greeter" })] });
	const token = await joinToken({ ...base, attributes: {}, ttlSeconds: 60, roomPreset: "calls", roomConfig });
	const claims = await new TokenVerifier("devkey", "secret").verify(token);
	expect((claims.exp ?? 0) - (claims.nbf ?? 0)).toBe(60);
	expect(claims).toMatchObject({ roomPreset: "calls", roomConfig: { agents: [{ agentName: "greeter" }] } });
});
