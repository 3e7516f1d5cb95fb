import { type DataPacket, RpcRequest } from "@livekit/protocol";
import { describe, expect, it } from "vitest";
import { RoomRpcError } from "../call/ports.ts";
import { RpcResponder } from "./rpc.ts";

async function ask(
	request: ConstructorParameters<typeof RpcRequest>[0],
	handler?: (method: string, payload: string, caller: string) => Promise<string>,
) {
	const sent: DataPacket[] = [];
	const responder = new RpcResponder(handler, (packet) => sent.push(packet));
	await responder.answer(new RpcRequest({ id: "r", version: 1, ...request }), "agent");
	return sent.map(({ destinationIdentities, value }) => {
		expect(destinationIdentities).toEqual(["agent"]);
		if (value.case === "rpcAck") return `ack ${value.value.requestId}`;
		if (value.case !== "rpcResponse") return value.case;
		const result = value.value.value;
		return result.case === "error" ? `error ${result.value.code} ${result.value.message}` : `${result.case} ${String(result.value)}`;
	});
}

describe("participant RPC", () => {
	it("is acknowledged, then answered to whoever asked", async () => {
		const answered = await ask({ method: "m", payload: "p" }, async (...request) => request.join("|"));
		expect(answered).toEqual(["ack r", "payload m|p|agent"]);
	});

	type Answer = (() => Promise<string>) | undefined;
	it.each<[string, { version?: number }, Answer, string]>([
		["a method's own error", {}, () => Promise.reject(new RoomRpcError(1400, "no such method")), "error 1400 no such method"],
		["a fault of ours, without its words", {}, () => Promise.reject(new Error("secret")), "error 1500 the method failed"],
		["an answer that is too long", {}, async () => "x".repeat(15_361), "error 1504 Response payload too large"],
		["another version", { version: 2 }, async () => "", "error 1404 Unsupported RPC version"],
		["nobody who answers", {}, undefined, "error 1400 Method not supported at destination"],
	])("%s", async (_name, request, handler, expected) => {
		expect(await ask(request, handler)).toEqual(["ack r", expected]);
	});

	it("no more than 16 at a time are worked on", async () => {
		const sent: DataPacket[] = [];
		const responder = new RpcResponder(
			() => new Promise(() => undefined),
			(packet) => sent.push(packet),
		);
		for (let i = 0; i < 20; i++) void responder.answer(new RpcRequest({ id: String(i), version: 1 }), "agent");
		expect(sent).toHaveLength(16);
	});
});
