import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forwardTo } from "./forward.ts";

let server: Server;
let port: number;
let seen: { request: IncomingMessage; body: string }[] = [];

beforeAll(async () => {
	server = createServer((request, response) => {
		let body = "";
		request.on("data", (chunk: Buffer) => (body += chunk.toString()));
		request.on("end", () => {
			seen.push({ request, body });
			response.writeHead(404, { "content-type": "application/json", "x-from": "livekit" }).end('{"code":"not_found"}');
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());

test.each(["ws", "http"])("a %s URL: method, path, query, headers and body arrive, and so does the answer", async (scheme) => {
	seen = [];
	const request = new Request("http://api.example/twirp/livekit.RoomService/ListRooms?a=b", {
		method: "POST",
		headers: { "content-type": "application/json", authorization: "Bearer x", connection: "close" },
		body: '{"names":[]}',
	});
	const answer = await forwardTo(`${scheme}://127.0.0.1:${port}/base/`)(request);
	expect([answer.status, answer.headers.get("x-from"), await answer.text()]).toEqual([404, "livekit", '{"code":"not_found"}']);
	expect(seen).toHaveLength(1);
	expect([seen[0]?.request.method, seen[0]?.request.url, seen[0]?.body]).toEqual([
		"POST",
		"/base/twirp/livekit.RoomService/ListRooms?a=b",
		'{"names":[]}',
	]);
	expect(seen[0]?.request.headers).toMatchObject({
		authorization: "Bearer x",
		"content-type": "application/json",
		host: `127.0.0.1:${port}`,
	});
});

test("a server that is not there is a Twirp error", async () => {
	const closed = createServer();
	await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
	const free = (closed.address() as AddressInfo).port;
	await new Promise((resolve) => closed.close(resolve));
	const answer = await forwardTo(`http://127.0.0.1:${free}`)(
		new Request("http://api.example/twirp/livekit.RoomService/ListRooms", { method: "POST", body: "{}" }),
	);
	expect([answer.status, await answer.json()]).toEqual([503, { code: "unavailable", msg: "the LiveKit server cannot be reached" }]);
});
