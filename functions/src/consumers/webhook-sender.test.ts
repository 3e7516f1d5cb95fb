import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { callEvents } from "@trunkline/domain";
import { callRecord } from "@trunkline/testkit";
import { WebhookReceiver } from "livekit-server-sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebhookError, WebhookSender, type WebhookSenderOptions } from "./webhook-sender.ts";

const key = { apiKey: "devkey", secret: "a secret of sufficient length for HS256" };
const LAPTOP = { loopback: true, private: false };
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: { headers: IncomingMessage["headers"]; path: string | undefined; body: string }[];
let port: number;

beforeEach(async () => {
	seen = [];
	answer = (_request, response) => response.writeHead(204).end();
	server = createServer((request, response) => {
		let body = "";
		request.on("data", (chunk) => {
			body += String(chunk);
		});
		request.on("end", () => {
			seen.push({ headers: request.headers, path: request.url, body });
			answer(request, response);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	({ port } = server.address() as AddressInfo);
});
afterEach(() => {
	server.closeAllConnections();
	server.close();
});

const sender = (over: Partial<WebhookSenderOptions> = {}): WebhookSender => new WebhookSender({ targets: LAPTOP, ...over });
const url = (path = "/hook"): string => `http://127.0.0.1:${port}${path}`;

describe("WebhookSender", () => {
	it("is understood and verified by LiveKit's receiver", async () => {
		const [event] = callEvents(callRecord({ callId: "SCL_1", createdAt: 1_700_000_000_000, to: "+4930Ä" }), 0);
		await sender().send(url("/hook?a=1"), JSON.stringify(event), key);
		expect(seen).toHaveLength(1);
		const [request] = seen;
		expect(request?.path).toBe("/hook?a=1");
		expect(request?.headers["content-type"]).toBe("application/webhook+json");
		const received = await new WebhookReceiver(key.apiKey, key.secret).receive(request?.body ?? "", request?.headers.authorization);
		expect(received.event).toBe("call.started");
		expect(received.id).toBe("EV_1_0_started");
		expect(received.createdAt).toBe(1_700_000_000n);
		expect(received.room?.name).toBe("lobby");
		expect(received.participant?.identity).toBe("sip_+15550199");
		await expect(new WebhookReceiver(key.apiKey, key.secret).receive(`${request?.body} `, request?.headers.authorization)).rejects.toThrow(
			"sha256",
		);
		await expect(
			new WebhookReceiver(key.apiKey, "another secret of sufficient length").receive(request?.body ?? "", request?.headers.authorization),
		).rejects.toThrow("signature verification failed");
	});

	it.each([199 + 101, 301, 400, 404, 500, 503])("an answer of %i is a failure, and redirects are not followed", async (status) => {
		answer = (_request, response) => response.writeHead(status, { location: url("/elsewhere") }).end();
		await expect(sender().send(url(), "{}", key)).rejects.toThrow(new WebhookError(`answered ${status}`));
		expect(seen.map(({ path }) => path)).toEqual(["/hook"]);
	});

	it("waits a limited time, for the answer as for its end", async () => {
		answer = () => {};
		await expect(sender({ timeoutMs: 100 }).send(url(), "{}", key)).rejects.toThrow("no answer in time");
	});

	it("does not listen to an endless answer", async () => {
		answer = (_request, response) => {
			response.writeHead(200);
			const more = setInterval(() => response.write("x".repeat(32 * 1024)), 1);
			response.on("close", () => clearInterval(more));
		};
		await sender({ timeoutMs: 5000 }).send(url(), "{}", key);
		expect(seen).toHaveLength(1);
	});

	it("nobody there is a failure that says so", async () => {
		server.close();
		await expect(sender().send(url(), "{}", key)).rejects.toThrow(/ECONNREFUSED/);
	});

	it("judges addresses, and nothing leaves for one that is refused", async () => {
		await expect(sender({ targets: { loopback: false, private: false } }).send(url(), "{}", key)).rejects.toThrow("this machine itself");
		expect(seen).toEqual([]);
	});

	it("judges what a name leads to when it is looked up, each time, all of its addresses", async () => {
		const answers = [
			[{ address: "127.0.0.1", family: 4 }],
			[
				{ address: "127.0.0.1", family: 4 },
				{ address: "169.254.169.254", family: 4 },
			],
			[],
		];
		const lookup = async () => answers.shift() ?? [];
		const named = sender({ targets: { loopback: true, private: true }, lookup });
		const target = `http://rebinding.example:${port}/hook`;
		await named.send(target, "{}", key);
		await expect(named.send(target, "{}", key)).rejects.toThrow("169.254.169.254 is no public address");
		await expect(named.send(target, "{}", key)).rejects.toThrow("no address");
		const failing = sender({ targets: { loopback: true, private: true }, lookup: () => Promise.reject(new Error("ENOTFOUND")) });
		await expect(failing.send(target, "{}", key)).rejects.toThrow("ENOTFOUND");
		expect(seen).toHaveLength(1);
	});
});
