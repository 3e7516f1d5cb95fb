import { describe, expect, it } from "vitest";
import { type HeaderList, RoomRpcError } from "./ports.ts";
import { answerRoomRpc } from "./room-rpc.ts";

const HEADERS: HeaderList = [
	["Via", "SIP/2.0/UDP 192.0.2.1"],
	["Authorization", "Digest secret"],
	["From", "<sip:100@example.com>;tag=1"],
	["X-Customer", "17"],
	["User-Agent", "phone"],
];

function target() {
	const ended: HeaderList[] = [];
	return { ended, remoteHeaders: () => HEADERS, endCall: (headers: HeaderList) => void ended.push(headers) };
}

describe("what participants ask of a telephone leg", () => {
	it.each([
		["", { From: "<sip:100@example.com>;tag=1", "X-Customer": "17", "User-Agent": "phone" }],
		['{"include":["x-customer","Via"]}', { "X-Customer": "17" }],
		['{"exclude":["FROM"],"include":null}', { "X-Customer": "17", "User-Agent": "phone" }],
	])("lk.sip.GetRemoteHeaders %s", (payload, headers) => {
		expect(JSON.parse(answerRoomRpc(target(), "lk.sip.GetRemoteHeaders", payload))).toEqual({ headers });
	});

	it("lk.sip.EndCall hangs up with headers", () => {
		const call = target();
		expect(answerRoomRpc(call, "lk.sip.EndCall", '{"headers":{"X-Outcome":"sold"}}')).toBe("{}");
		expect(answerRoomRpc(call, "lk.sip.EndCall", "")).toBe("{}");
		expect(call.ended).toEqual([[["X-Outcome", "sold"]], []]);
	});

	it.each([
		["lk.sip.Nothing", "", 1400],
		["lk.sip.EndCall", "no JSON", 1500],
		["lk.sip.EndCall", '{"headers":{"Via":"x"}}', 1500],
		["lk.sip.GetRemoteHeaders", '{"include":"X"}', 1500],
	])("%s %s is an error of theirs", (method, payload, code) => {
		const call = target();
		expect(() => answerRoomRpc(call, method, payload)).toThrow(expect.objectContaining({ code, name: "RoomRpcError" }));
		expect(() => answerRoomRpc(call, method, payload)).toThrow(RoomRpcError);
		expect(call.ended).toEqual([]);
	});
});
