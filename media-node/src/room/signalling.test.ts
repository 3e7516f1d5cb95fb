import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Pong, SignalRequest, SignalResponse } from "@livekit/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { dualConnectionUrl, singleConnectionUrl } from "./join-url.ts";
import { SignalConnection, type SignalEvents, type SignalResponseMessage } from "./signalling.ts";
import { SessionDescription } from "@livekit/protocol";

let http: Server;
let url: URL;
let onSocket: (socket: WebSocket) => void;

beforeEach(async () => {
	onSocket = () => undefined;
	http = createServer();
	new WebSocketServer({ server: http }).on("connection", (socket) => onSocket(socket));
	await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
	url = new URL(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/rtc`);
});
afterEach(async () => {
	http.closeAllConnections();
	await new Promise((resolve) => http.close(resolve));
});

function events() {
	const messages: SignalResponseMessage[] = [];
	const closed: string[] = [];
	const handlers: SignalEvents = { message: (message) => messages.push(message), closed: (message) => closed.push(message) };
	return { messages, closed, handlers };
}

const never = new AbortController().signal;

describe("a signalling connection", () => {
	it("pings, and a server that never speaks is told dead after the timeout, once", async () => {
		const pings: string[] = [];
		onSocket = (socket) => socket.on("message", (data: Buffer) => pings.push(SignalRequest.fromBinary(data).message.case ?? ""));
		const connection = await SignalConnection.open(url, "t", events().handlers, never);
		let dead = 0;
		const start = performance.now();
		await new Promise<void>((resolve) => {
			connection.startPings(10, 60, () => {
				dead++;
				resolve();
			});
		});
		expect(performance.now() - start).toBeGreaterThan(60);
		expect(pings.length).toBeGreaterThan(2);
		expect(new Set(pings)).toEqual(new Set(["pingReq"]));
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(dead).toBe(1);
		await connection.close();
	});

	it("is not told dead while pongs come", async () => {
		onSocket = (socket) =>
			socket.on("message", () => socket.send(new SignalResponse({ message: { case: "pongResp", value: new Pong() } }).toBinary()));
		const connection = await SignalConnection.open(url, "t", events().handlers, never);
		let dead = 0;
		connection.startPings(10, 50, () => dead++);
		await new Promise((resolve) => setTimeout(resolve, 200));
		expect(dead).toBe(0);
		await connection.close();
	});

	it("hears what the server says with the upgrade, and tells once that the server closed", async () => {
		onSocket = (socket) => {
			socket.send(new SignalResponse({ message: { case: "pong", value: 7n } }).toBinary());
			socket.close(1001);
		};
		const { messages, closed, handlers } = events();
		const connection = await SignalConnection.open(url, "t", handlers, never);
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(messages).toEqual([{ case: "pong", value: 7n }]);
		expect(closed).toEqual([expect.stringContaining("1001")]);
		await connection.close();
	});

	it("a message that is no protobuf ends it", async () => {
		onSocket = (socket) => socket.send(Buffer.from([0xff, 0xff, 0xff]));
		const { closed, handlers } = events();
		const connection = await SignalConnection.open(url, "t", handlers, never);
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(closed).toHaveLength(1);
		await connection.close();
	});

	it("our own close is told to nobody", async () => {
		const { closed, handlers } = events();
		const connection = await SignalConnection.open(url, "t", handlers, never);
		await connection.close();
		await connection.close();
		expect(closed).toEqual([]);
	});
});

describe("join URLs", () => {
	it.each([
		["ws://host:7880", "ws://host:7880/rtc"],
		["wss://host/", "wss://host/rtc"],
		["http://host:1", "ws://host:1/rtc"],
		["https://host/prefix", "wss://host/prefix/rtc"],
	])("%s becomes %s", (from, to) => {
		const address = dualConnectionUrl(from);
		expect(`${address.origin === "null" ? `${address.protocol}//${address.host}` : address.origin}${address.pathname}`).toBe(to);
		expect(address.searchParams.get("auto_subscribe")).toBe("0");
	});

	it("carry no token, and the join request as padded URL-safe base64", () => {
		const address = singleConnectionUrl("wss://host", [], new SessionDescription({ type: "offer", sdp: "v=0", id: 1 }));
		expect(address.pathname).toBe("/rtc/v1");
		expect([...address.searchParams.keys()]).toEqual(["join_request"]);
		expect(address.searchParams.get("join_request")).toMatch(/^[\w-]+=*$/);
		expect((address.searchParams.get("join_request") ?? "").length % 4).toBe(0);
	});

	it("of another scheme throw", () => {
		expect(() => dualConnectionUrl("ftp://host")).toThrow(TypeError);
	});
});
