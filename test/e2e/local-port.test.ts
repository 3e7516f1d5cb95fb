import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type Local, readConfig, startLocal } from "@trunkline/local";
import { createLogger } from "@trunkline/observability";
import { AccessToken, RoomServiceClient, SipClient } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { clear, freePorts, temporaryDirectory, twoCalls } from "./local-process.ts";
import { until } from "./testbed.ts";

let local: Local;
let stop: () => Promise<void>;
const sockets: Socket[] = [];

async function serve(settings: Record<string, string> = {}): Promise<[Local, () => Promise<void>]> {
	const config = readConfig({ ...freePorts(), DATA_DIR: temporaryDirectory(), LOG_LEVEL: "error", ...settings }, "/");
	const started = await startLocal(config);
	return [started, () => started.close()];
}

beforeAll(async () => {
	[local, stop] = await serve();
});
afterEach(() => {
	for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
	await stop();
	await clear();
});

/** A connection that says this and shuts up; gives all that came back until the other side closed, or until `withinMs`. */
async function raw(text: string, withinMs: number): Promise<{ answer: string; closed: boolean; socket: Socket }> {
	const socket = connect({ port: local.httpPort, host: "127.0.0.1", allowHalfOpen: true });
	sockets.push(socket);
	let answer = "";
	let closed = false;
	socket.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk));
	socket.on("end", () => (closed = true)).on("error", () => (closed = true));
	socket.write(text, "latin1");
	await until(() => closed, "", withinMs).catch(() => {});
	return { answer, closed, socket };
}

const upgrade = (path: string, more = ""): string =>
	`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`;

const statusOf = async (path: string, init?: RequestInit): Promise<number> => {
	const response = await fetch(local.url + path, init);
	await response.arrayBuffer();
	return response.status;
};

const expectServing = async (): Promise<void> => expect(await statusOf("/healthz")).toBe(200);

describe("pages of others in a browser of this machine, while the keys are those of a first start", () => {
	const post = async (headers: string): Promise<string> =>
		(await raw(`POST /v1/test-calls HTTP/1.1\r\n${headers}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`, 2_000)).answer;
	it("place no calls and reach nothing under a name of their own", async () => {
		expect(await post("Host: 127.0.0.1\r\nOrigin: https://evil.example")).toMatch(/^HTTP\/1\.1 403 [^]*LIVEKIT_API_KEY/);
		expect(await post("Host: evil.example")).toMatch(/^HTTP\/1\.1 403 /);
		expect((await raw(upgrade("/rtc?access_token=none").replace("Host: x", "Host: evil.example"), 2_000)).answer).toMatch(
			/^HTTP\/1\.1 403 /,
		);
		expect(await post("Host: 127.0.0.1\r\nOrigin: http://127.0.0.1:7880")).toMatch(/^HTTP\/1\.1 401 /);
	});

	it("with keys of one's own nothing is asked", async () => {
		const [other, close] = await serve({ LIVEKIT_API_KEY: "k", LIVEKIT_API_SECRET: "s".repeat(32) });
		const response = await fetch(`${other.url}/v1/regions`, { headers: { origin: "https://evil.example" } });
		expect(response.status).toBe(401);
		await close();
	});
});

describe("one port", () => {
	it("rooms, both services and health", async () => {
		expect(await (await fetch(`${local.url}/healthz`)).json()).toEqual({ status: "ok" });
		expect(await new SipClient(local.url, "devkey", "secret").listSipInboundTrunk()).toHaveLength(1);
		expect(await new RoomServiceClient(local.url, "devkey", "secret").listRooms()).toEqual([]);
		expect(await statusOf("/rtc/validate")).toBe(401);
		expect((await raw(upgrade("/rtc?access_token=none"), 2_000)).answer).toMatch(/^HTTP\/1\.1 401 /);
	});

	it("GET / says what this is", async () => {
		const response = await fetch(`${local.url}/`);
		expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
		const text = await response.text();
		expect(text).toMatch(/^Trunkline: /);
		expect(text).toContain("README.md");
		expect(text.split("\n").length).toBeLessThan(15);
		expect(await statusOf("/?from=browser", { method: "HEAD" })).toBe(200);
	});

	it.each<[number, string, RequestInit?]>([
		[404, "/nothing"],
		[404, "/", { method: "POST", body: "x" }],
		[404, "/twirp"],
		[404, "/twirp/livekit.SIP/NoSuchMethod", { method: "POST", body: "{}" }],
		[404, "/twirp/livekit.Egress/ListEgress", { method: "POST", body: "{}" }],
		[404, "/twirp/other.Service/Method", { method: "POST", body: "{}" }],
		[404, "/rtc/v2"],
		[404, "/%2e%2e/%00"],
	])("%i for %s", async (status, path, init) => {
		expect(await statusOf(path, init)).toBe(status);
	});
});

describe("strangers", () => {
	it.each<[what: string, text: string, answer: RegExp]>([
		["no HTTP", "\x16\x03\x01\x02\x00\x01\x00", /^HTTP\/1\.1 400 /],
		["no Host", "GET /healthz HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
		["a Host that is none", "GET /healthz HTTP/1.1\r\nHost: a b{}\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 (400|200) /],
		["a target that is no path", "GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 4\d\d /],
		["huge headers", `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
		[
			"two lengths",
			"POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
			/^HTTP\/1\.1 400 /,
		],
		[
			"a huge body",
			`POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{`,
			/^HTTP\/1\.1 4\d\d /,
		],
		["an upgrade to nothing", upgrade("/nothing"), /^HTTP\/1\.1 404 /],
		["an upgrade without a key", upgrade("/rtc"), /^HTTP\/1\.1 40\d /],
		["an upgrade with a broken key", upgrade("/rtc", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"), /^HTTP\/1\.1 40\d /],
		["an upgrade to a target that is no path", upgrade("//[/rtc"), /^HTTP\/1\.1 404 /],
	])("%s is answered, and serving goes on", async (_what, text, answer) => {
		const result = await raw(text, 1_500);
		expect(result.answer).toMatch(answer);
		await expectServing();
	});

	it("an offer of another protocol is ignored: the request is answered (RFC 9110 §7.8)", async () => {
		const { answer } = await raw(
			"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
			2_000,
		);
		expect(answer).toMatch(/^HTTP\/1\.1 200 /);
		expect(answer).toContain('{"status":"ok"}');
	});

	it("resets at every moment of an upgrade and of a request do no harm", async () => {
		const requests = [
			upgrade("/nothing"),
			upgrade("/rtc"),
			upgrade("/rtc?access_token=a.b.c"),
			"POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\n",
		];
		for (const text of requests) {
			for (let i = 0; i < 10; i++) {
				const socket = connect({ port: local.httpPort, host: "127.0.0.1" });
				socket.on("error", () => {});
				await new Promise((resolve) => socket.once("connect", resolve));
				socket.write(text);
				if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
				socket.resetAndDestroy();
			}
		}
		await expectServing();
	});

	it.each(["/twirp/livekit.SIP/ListSIPInboundTrunk", "/twirp/livekit.RoomService/ListRooms", "/v1/explain", "/nothing"])(
		"a large body that nobody reads is not in the way of the next request: %s",
		async (path) => {
			const agent = new Agent({ keepAlive: true, maxSockets: 1 });
			const used = new Set<unknown>();
			// beyond what is read ahead of whoever asks for it; /v1 takes less
			const body = Buffer.alloc(path.startsWith("/v1/") ? 60_000 : 400_000, 0x20);
			const post = (): Promise<number | string | undefined> =>
				new Promise((resolve) => {
					const asked = request(local.url + path, {
						method: "POST",
						agent,
						headers: { authorization: "Bearer a.b.c", "content-type": "application/json" },
					});
					asked.on("socket", (socket) => used.add(socket)).on("error", (error) => resolve(String(error)));
					asked.on("response", (response) => response.resume().once("end", () => resolve(response.statusCode)));
					asked.setHeader("content-length", body.length).end(body);
				});
			const status = path === "/nothing" ? 404 : 401;
			expect([await post(), await post(), await post(), used.size]).toEqual([status, status, status, 1]);
			agent.destroy();
		},
	);

	it("a request that breaks off is no failure of ours", async () => {
		let lines = "";
		const log = createLogger({ name: "test", level: "warn", destination: { write: (line) => void (lines += line) } });
		const config = readConfig({ ...freePorts(), DATA_DIR: temporaryDirectory() }, "/");
		const other = await startLocal(config, log);
		try {
			const access = new AccessToken("devkey", "secret");
			access.addGrant({ roomList: true, roomCreate: true, roomAdmin: true });
			access.addSIPGrant({ admin: true, call: true });
			const token = await access.toJwt();
			for (const method of ["SIP/ListSIPInboundTrunk", "RoomService/ListRooms", "RoomService/MoveParticipant"])
				for (const length of ["Content-Length: 500", "Transfer-Encoding: chunked"]) {
					const socket = connect(other.httpPort, "127.0.0.1");
					socket.on("error", () => {});
					const head = `POST /twirp/livekit.${method} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${length}`;
					await new Promise<void>((resolve) => void socket.write(`${head}\r\n\r\n2\r\n{ `, () => resolve()));
					await new Promise((resolve) => setTimeout(resolve, 60));
					socket.resetAndDestroy();
				}
			await new Promise((resolve) => setTimeout(resolve, 150));
		} finally {
			await other.close();
		}
		expect(lines).toBe("");
	});

	it("half-open sockets and slow senders are closed within their time", async () => {
		const [halfOpen, slowHeaders] = await Promise.all([raw(upgrade("/nothing"), 3_000), raw("GET / HTTP/1.1\r\nHost: x\r\nA", 15_000)]);
		expect(halfOpen.closed).toBe(true);
		expect(slowHeaders.answer).toMatch(/^HTTP\/1\.1 408 /);
		expect(slowHeaders.closed).toBe(true);
		// the half-open one was given 3 s to close its half; now nobody listens to it
		await until(() => !halfOpen.socket.write("x") || halfOpen.socket.destroyed, "the reset", 3_000);
	}, 30_000);

	it("whoever is connected does not keep it from closing", async () => {
		const [other, close] = await serve();
		const idle = [connect(other.httpPort, "127.0.0.1"), connect(other.httpPort, "127.0.0.1"), connect(other.httpPort, "127.0.0.1")];
		sockets.push(...idle);
		for (const socket of idle) {
			socket.on("error", () => {});
			await new Promise((resolve) => socket.once("connect", resolve));
		}
		idle[1]?.write("POST /twirp/livekit.SIP/ListSIPTrunk HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
		idle[2]?.write(upgrade("/nothing"));
		await new Promise((resolve) => setTimeout(resolve, 100));
		const began = performance.now();
		await close();
		expect(performance.now() - began).toBeLessThan(1_500);
		await expect(fetch(`${other.url}/healthz`)).rejects.toThrow("fetch failed");
	});
});

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));

it.skipIf(!hasIPv6)("HOST=::1: calls over IPv6", async () => {
	const [six, close] = await serve({ HOST: "::1" });
	try {
		expect(six.url).toBe(`http://[::1]:${six.httpPort}`);
		const calls = await twoCalls(six, "::1");
		expect(calls[0]?.rtp.remote?.address).toBe("::1");
		for (const call of calls) call.hangup();
	} finally {
		await close();
	}
});
