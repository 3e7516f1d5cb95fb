import { createSocket, type Socket } from "node:dgram";
import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { DnsServer } from "@trunkline/testkit";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { afterEach, describe, expect, it } from "vitest";
import { checkAddress, checkPorts, machineSettings } from "./machine.ts";
import { askOptions } from "./options-request.ts";
import { checkProvider } from "./provider.ts";
import { checkApi, checkLivekit } from "./server.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const close of closing.splice(0)) await close();
});

const listening = async (server: {
	listen(port: number, host: string, done: () => void): unknown;
	address(): unknown;
	close(done: () => void): unknown;
}) => {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	closing.push(() => new Promise<void>((resolve) => void server.close(resolve)));
	return (server.address() as AddressInfo).port;
};

/** Somebody who speaks SIP over UDP. */
async function sipPeer(status: string | undefined): Promise<{ port: number; requests: string[] }> {
	const socket: Socket = createSocket("udp4");
	const requests: string[] = [];
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
	closing.push(() => new Promise<void>((resolve) => void socket.close(() => resolve())));
	socket.on("message", (bytes, from) => {
		requests.push(bytes.toString());
		if (status !== undefined) socket.send(answer(bytes.toString(), status), from.port, from.address);
	});
	return { port: socket.address().port, requests };
}

const answer = (request: string, status: string): string => {
	const copied = request.split("\r\n").filter((line) => /^(?:via|from|to|call-id|cseq):/i.test(line));
	return `${[`SIP/2.0 ${status}`, ...copied].join("\r\n")}\r\nContent-Length: 0\r\n\r\n`;
};

describe("each trunk's provider", () => {
	it.each([
		["200 OK", "ok"],
		["405 Method Not Allowed", "ok"],
		["503 Service Unavailable", "warning"],
	])("that answers OPTIONS with %s is %s", async (status, expected) => {
		const { port, requests } = await sipPeer(status);
		const findings = await checkProvider({ trunkId: "ST_1", address: `127.0.0.1:${port}`, transport: "AUTO" });
		expect(findings).toMatchObject([
			{ check: "trunk ST_1", status: expected, found: expect.stringContaining(`answers OPTIONS with ${status} after`) as unknown },
		]);
		expect(requests).toHaveLength(1);
		expect(requests[0]).toMatch(
			/^OPTIONS sip:127\.0\.0\.1:\d+ SIP\/2\.0\r\nVia: SIP\/2\.0\/UDP 127\.0\.0\.1:\d+;branch=z9hG4bK\w+;rport\r\n/,
		);
	});

	it("that is silent, or is not there, is wrong", async () => {
		const { port, requests } = await sipPeer(undefined);
		expect(await askOptions({ host: "127.0.0.1", port, transport: "UDP", name: "127.0.0.1" })).toEqual({ kind: "silence" });
		expect(requests).toHaveLength(4);
		const closed = createServer();
		const nobody = await listening(closed);
		await closing.pop()?.();
		const [finding] = await checkProvider({ trunkId: "ST_1", address: `127.0.0.1:${nobody}`, transport: "TCP" });
		expect(finding).toMatchObject({ status: "wrong", found: `no connection to 127.0.0.1:${nobody} (TCP): nothing listens there` });
	});

	it("a UDP port that nobody has is told in words, and the trunk by its name", async () => {
		const socket = createSocket("udp4");
		await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
		const { port } = socket.address();
		await new Promise<void>((resolve) => void socket.close(resolve));
		const [finding] = await checkProvider({ trunkId: "ST_1", name: "desk", address: `127.0.0.1:${port}`, transport: "UDP" });
		expect(finding).toMatchObject({ check: 'trunk "desk" ST_1', found: `no connection to 127.0.0.1:${port} (UDP): nothing listens there` });
	});

	it("over TLS: a certificate of nobody is told from a wrong port", async () => {
		const { cert, key } = await (await TestAuthority.create("nobody")).issue({ dns: ["localhost"] });
		const port = await listening(createTlsServer({ cert, key }));
		const [finding] = await checkProvider({ trunkId: "ST_1", address: `127.0.0.1:${port}`, transport: "TLS" });
		expect(finding).toMatchObject({ status: "wrong", todo: expect.stringContaining("SIP_TLS_CA_FILE") as unknown });
	});

	it("over TCP the answer may come in pieces", async () => {
		const server = createServer((socket) => {
			socket.on("error", () => {});
			socket.once("data", (bytes) => {
				const text = answer(bytes.toString(), "200 OK");
				socket.write(text.slice(0, 30));
				setImmediate(() => socket.write(text.slice(30)));
			});
		});
		const port = await listening(server);
		expect(await askOptions({ host: "127.0.0.1", port, transport: "TCP", name: "x" })).toMatchObject({ kind: "answered", status: 200 });
	});

	it("its name is looked up as calls do it: NAPTR, SRV, address", async () => {
		const { port } = await sipPeer("200 OK");
		const dns = await DnsServer.start({
			"NAPTR carrier.test": { naptr: [{ order: 1, preference: 1, flags: "s", service: "SIP+D2U", replacement: "_sip._udp.carrier.test" }] },
			"SRV _sip._udp.carrier.test": { srv: [{ priority: 1, weight: 0, port, name: "edge.carrier.test" }] },
			"A edge.carrier.test": { addresses: ["127.0.0.1"] },
		});
		closing.push(() => dns.close());
		const findings = await checkProvider({ trunkId: "ST_1", address: "carrier.test", transport: "AUTO" }, [dns.address]);
		expect(findings).toMatchObject([
			{ status: "ok", found: `NAPTR SIP+D2U; SRV _sip._udp: edge.carrier.test:${port}; edge.carrier.test is 127.0.0.1` },
			{ status: "ok", found: expect.stringContaining("200 OK") as unknown },
		]);
		const nowhere = await checkProvider({ trunkId: "ST_2", address: "nowhere.test:5060", transport: "UDP" }, [dns.address]);
		expect(nowhere).toMatchObject([
			{ status: "wrong", found: expect.stringContaining("the name nowhere.test leads nowhere: nowhere.test has no address") as unknown },
		]);
	});

	it("an address that is none is said to be none", async () => {
		expect(await checkProvider({ trunkId: "ST_1", address: "a b", transport: "AUTO" })).toMatchObject([{ status: "wrong" }]);
	});
});

describe("servers", () => {
	/** Answers with this status and date. */
	async function server(status: number, skewMs = 0): Promise<string> {
		const http: Server = createHttpServer((_, response) => {
			response.setHeader("date", new Date(Date.now() - skewMs).toUTCString());
			response.writeHead(status).end("{}");
		});
		return `http://127.0.0.1:${await listening(http)}`;
	}
	const access = (url: string) => ({ url, apiKey: "k", apiSecret: "a secret of some length for tests" });

	it.each([
		[200, 0, ["ok", "ok"], /answers and knows the key/],
		[401, 0, ["wrong", "ok"], /does not accept the API key/],
		[404, 0, ["wrong", "ok"], /HTTP 404, as no such server does/],
		[200, 120_000, ["ok", "wrong"], /clock is 1(?:19|20|21) s ahead of/],
		[200, -120_000, ["ok", "wrong"], /clock is 1(?:19|20) s behind/],
	])("HTTP %i, a clock that is %i ms ahead", async (status, skew, expected, found) => {
		const url = await server(status, skew);
		for (const findings of [(await checkApi(access(url))).findings, await checkLivekit(access(url.replace("http", "ws")))]) {
			expect(findings.map((finding) => finding.status)).toEqual(expected);
			expect(findings.map((finding) => finding.found).join("\n")).toMatch(found);
		}
	});

	it("nobody there: a warning for the API, which may not be started yet; wrong for LiveKit, which was named", async () => {
		const url = await server(200);
		await closing.pop()?.();
		expect(await checkApi(access(url))).toMatchObject({
			isUp: false,
			findings: [{ status: "warning", found: expect.stringContaining("nothing listens there") as unknown }],
		});
		expect(await checkLivekit(access(url))).toMatchObject([{ status: "wrong" }]);
	});
});

describe("this machine", () => {
	it("ports that somebody has are named with their setting", async () => {
		const port = await listening(createServer());
		const free = await listening(createServer());
		await closing.pop()?.();
		const findings = await checkPorts({ host: "127.0.0.1", port, sipPort: free, rtpRange: [free + 1, free + 100], advertised: undefined });
		expect(findings[0]).toMatchObject({ check: `TCP port ${port}`, status: "wrong", todo: expect.stringContaining("PORT=…") as unknown });
		expect(findings.slice(1).map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
		expect(
			(await checkPorts({ host: "192.0.2.1", port: 0, sipPort: 0, rtpRange: [30_000, 30_010], advertised: undefined }))[0]?.todo,
		).toContain("HOST must be an address of this machine");
	});

	it.each([
		[{}, "warning", /127\.0\.0\.1: only programs on this machine/],
		[{ HOST: "0.0.0.0", ADVERTISED_ADDRESS: "192.168.1.5" }, "warning", /private network/],
		[{ HOST: "0.0.0.0", ADVERTISED_ADDRESS: "100.64.1.5" }, "warning", /private network/],
		[{ HOST: "0.0.0.0", ADVERTISED_ADDRESS: "203.0.113.9" }, "ok", /a router must forward/],
		[{ HOST: "127.0.0.1", ADVERTISED_ADDRESS: "203.0.113.9" }, "warning", /listens on 127\.0\.0\.1 alone/],
	])("%j: %s", (env, status, found) => {
		const finding = checkAddress(machineSettings(env));
		expect(finding.status).toBe(status);
		expect(finding.found).toMatch(found);
	});
});
