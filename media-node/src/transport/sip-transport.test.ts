import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { Address } from "@trunkline/sip";
import { captureLogs } from "@trunkline/testkit";
import { type Certificate, TestAuthority } from "@trunkline/testkit/certificates";
import { afterEach, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { systemClock } from "../health/clock.ts";
import { SipTransport, type SipTransportOptions } from "./sip-transport.ts";
import { checkSipIdentity } from "./tls-identity.ts";

const OPTIONS = "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const HAS_IPV6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));

let directory: string;
let authority: TestAuthority;
let server: Certificate;
let wrong: Certificate;
let expired: Certificate;
const open: SipTransport[] = [];
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
	authority = await TestAuthority.create();
	server = await authority.issue({ dns: ["carrier.test", "*.wild.test"], uri: ["sip:domain.test"], ip: ["127.0.0.1", "::1"] });
	wrong = await authority.issue({ dns: ["somebody-else.test"] });
	expired = await authority.issue({ dns: ["carrier.test"], expired: true });
});
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "trunkline-tls-"));
	file("ca.pem", authority.cert);
});
afterEach(async () => {
	for (const socket of sockets.splice(0)) socket.destroy();
	for (const one of open.splice(0)) await one.close();
	for (const one of servers.splice(0)) await new Promise((resolve) => one.close(resolve));
	rmSync(directory, { recursive: true, force: true });
});

function file(name: string, text: string): string {
	const path = join(directory, name);
	writeFileSync(path, text);
	return path;
}

function pair(name: string, { cert, key }: Certificate): { certFile: string; keyFile: string } {
	return { certFile: file(`${name}.crt.pem`, cert), keyFile: file(`${name}.key.pem`, key) };
}

interface Node {
	transport: SipTransport;
	heard: { text: string; remote: Address }[];
	unreachable: { to: Address; message: string }[];
	/** resolves with the next thing that is heard or reported */
	next(): Promise<void>;
}

async function node(over: Partial<SipTransportOptions> = {}): Promise<Node> {
	let wake = (): void => {};
	const heard: Node["heard"] = [];
	const unreachable: Node["unreachable"] = [];
	const transport = await SipTransport.open({
		hosts: ["127.0.0.1"],
		port: 0,
		tlsPort: 0,
		clock: systemClock(),
		log: captureLogs(),
		onMessage: (data, remote) => {
			heard.push({ text: new TextDecoder().decode(data), remote });
			wake();
		},
		onUnreachable: (to, message) => {
			unreachable.push({ to, message });
			wake();
		},
		...over,
	});
	open.push(transport);
	return { transport, heard, unreachable, next: () => new Promise((resolve) => (wake = resolve)) };
}

const tlsNode = (certificate = server): Promise<Node> => node({ tls: pair("server", certificate) });
const client = (over: SipTransportOptions["tls"] = {}): Promise<Node> => node({ tls: { caFile: join(directory, "ca.pem"), ...over } });
const at = (to: Node, transport: Address["transport"], tls?: Address["tls"]): Address => ({
	host: "127.0.0.1",
	port: (transport === "TLS" ? to.transport.tlsPort : to.transport.port) ?? 0,
	transport,
	...(tls !== undefined && { tls }),
});

async function sends(from: Node, to: Address): Promise<string> {
	const told = from.next();
	from.transport.send(bytes(OPTIONS), to);
	await told;
	return from.unreachable.at(-1)?.message ?? "";
}

async function arrives(from: Node, to: Node, address: Address): Promise<Address> {
	const told = to.next();
	from.transport.send(bytes(OPTIONS), address);
	await told;
	const message = to.heard.at(-1);
	expect(message?.text).toBe(OPTIONS);
	return message?.remote as Address;
}

describe("both ways", () => {
	test.each(["UDP", "TCP", "TLS"] as const)("%s: a request arrives, and its answer comes back by the same way", async (transport) => {
		const [a, b] = [await client(), await tlsNode()];
		const remote = await arrives(a, b, at(b, transport, transport === "TLS" ? { serverName: "carrier.test" } : undefined));
		expect(remote.transport).toBe(transport);
		const told = a.next();
		b.transport.send(bytes("SIP/2.0 200 OK\r\nl: 0\r\n\r\n"), remote);
		await told;
		expect(a.heard).toMatchObject([{ text: "SIP/2.0 200 OK\r\nl: 0\r\n\r\n" }]);
		expect(b.transport.stats()).toMatchObject({ inbound: transport === "UDP" ? 0 : 1, outbound: 0 });
	});

	it("IPv4 and IPv6 side by side, on one port", async ({ skip }) => {
		skip(!HAS_IPV6, "this machine has no ::1");
		const both = await node({ hosts: ["127.0.0.1", "::1"], tls: pair("server", server) });
		const peer = await node({ hosts: ["127.0.0.1", "::1"], tls: { caFile: join(directory, "ca.pem") } });
		for (const host of ["127.0.0.1", "::1"]) {
			for (const transport of ["UDP", "TCP", "TLS"] as const) {
				const remote = await arrives(peer, both, { ...at(both, transport), host });
				expect(remote).toMatchObject({ host, transport });
			}
		}
	});

	it("a family that the node has no address of is reported, not thrown", async () => {
		const a = await node();
		expect(await sends(a, { host: "::1", port: 5060, transport: "UDP" })).toBe("this node has no IPv6 address");
	});

	it("a refused connection is reported", async () => {
		const a = await node();
		const b = await node();
		await b.transport.close();
		expect(await sends(a, at(b, "TCP"))).toMatch(/ECONNREFUSED/);
	});

	it("a port that is taken in TCP alone is not had", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		servers.push(taken);
		await once(taken, "listening");
		const { port } = taken.address() as { port: number };
		await expect(node({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
	});

	it("closing is idempotent, frees the ports, and ends all connections", async () => {
		const [a, b] = [await node(), await node()];
		await arrives(a, b, at(b, "TCP"));
		const { port } = b.transport;
		await Promise.all([b.transport.close(), b.transport.close()]);
		b.transport.send(bytes(OPTIONS), at(a, "TCP"));
		b.transport.send(bytes(OPTIONS), at(a, "UDP"));
		await node({ port });
		expect(a.heard).toEqual([]);
	});
});

describe("TLS to a peer: its certificate", () => {
	test.each(["carrier.test", "sbc.wild.test", "domain.test"])("for %s", async (serverName) => {
		const [a, b] = [await client(), await tlsNode()];
		expect(await arrives(a, b, at(b, "TLS", { serverName }))).toMatchObject({ host: "127.0.0.1", transport: "TLS" });
	});

	test.each<[string, () => Certificate, RegExp]>([
		[
			"of another name",
			() => wrong,
			/^TLS with carrier\.test: the certificate is not that of carrier\.test, but of DNS:somebody-else\.test$/,
		],
		["expired", () => expired, /^TLS with carrier\.test: certificate has expired$/],
	])("%s is refused with the reason", async (_, certificate, message) => {
		const [a, b] = [await client(), await tlsNode(certificate())];
		expect(await sends(a, at(b, "TLS", { serverName: "carrier.test" }))).toMatch(message);
		expect(b.heard).toEqual([]);
	});

	it("of an authority that nobody knows is refused", async () => {
		const [a, b] = [await node(), await tlsNode()];
		expect(await sends(a, at(b, "TLS", { serverName: "carrier.test" }))).toMatch(
			/unable to (get local issuer|verify the first) certificate/,
		);
	});

	it("a peer below the version that the trunk wants is refused", async () => {
		const old = createTlsServer({ ...server, maxVersion: "TLSv1.2" }).listen(0, "127.0.0.1");
		old.on("tlsClientError", () => {});
		servers.push(old);
		await once(old, "listening");
		const a = await client();
		const { port } = old.address() as { port: number };
		const to: Address = { host: "127.0.0.1", port, transport: "TLS", tls: { serverName: "carrier.test", minVersion: "TLSv1.3" } };
		expect(await sends(a, to)).toMatch(/version/i);
	});

	it("the name is sent (SNI)", async () => {
		let asked = "";
		const host = createTlsServer({
			...server,
			SNICallback: (name, done) => {
				asked = name;
				done(null);
			},
		}).listen(0, "127.0.0.1");
		servers.push(host);
		await once(host, "listening");
		const a = await client();
		const seen = once(host, "secureConnection");
		a.transport.send(bytes(OPTIONS), {
			...{ host: "127.0.0.1", port: (host.address() as { port: number }).port, transport: "TLS" },
			tls: { serverName: "carrier.test" },
		});
		const [socket] = (await seen) as [Socket];
		sockets.push(socket);
		expect(asked).toBe("carrier.test");
	});

	test.each([
		["a wildcard for two labels", "a.b.wild.test", "DNS:*.wild.test", false],
		["a URI with a user part (RFC 5922 §7.1)", "domain.test", "URI:sip:user@domain.test", false],
		["a URI of another scheme", "domain.test", "URI:https://domain.test", false],
		["a name that only looks like a URI entry", "evil.test", 'DNS:"x, URI:sip:evil.test"', false],
		["upper case", "Domain.Test", "DNS:a.test, URI:sip:domain.test", true],
	])("RFC 5922: %s", (_, name, subjectaltname, good) => {
		const certificate = { subject: {}, subjectaltname } as unknown as Parameters<typeof checkSipIdentity>[1];
		expect(checkSipIdentity(name, certificate) === undefined).toBe(good);
	});
});

describe("mutual TLS", () => {
	it("a peer with a certificate of the wanted authority comes in, one without does not", async () => {
		const clientAuthority = await TestAuthority.create("clients");
		const good = await clientAuthority.issue({ dns: ["us.test"] });
		const bad = await authority.issue({ dns: ["us.test"] });
		pair("carrier-a", good);
		pair("carrier-b", bad);
		const b = await node({ tls: { ...pair("server", server), clientCaFile: file("clients.pem", clientAuthority.cert) } });
		const a = await client({ clientDir: directory });
		const to = (clientCertificate?: string): Address =>
			at(b, "TLS", { serverName: "carrier.test", ...(clientCertificate !== undefined && { clientCertificate }) });
		await arrives(a, b, to("carrier-a"));
		for (const name of [undefined, "carrier-b"]) expect(await sends(a, to(name))).toMatch(/certificate|closed|reset|alert/i);
		expect(b.heard).toHaveLength(1);
	});

	it("a certificate that the node does not have is said so; a name leads to no other file", async () => {
		const [a, b] = [await client({ clientDir: join(directory, "certificates") }), await tlsNode()];
		const to = (clientCertificate: string): Address => at(b, "TLS", { serverName: "carrier.test", clientCertificate });
		expect(await sends(a, to("none"))).toMatch(/the client certificate "none" cannot be used: ENOENT/);
		expect(await sends(a, to("../server"))).toMatch(/this node has no client certificate "\.\.\/server"/);
	});
});

describe("certificates are renewed without a restart", () => {
	it("new connections get the new one, those that are open go on; half a renewal changes nothing", async () => {
		const files = pair("server", wrong);
		const [a, b] = [await client(), await node({ tls: files })];
		const to = at(b, "TLS", { serverName: "carrier.test" });
		expect(await sends(a, to)).toMatch(/not that of carrier\.test/);
		const elsewhere = at(b, "TLS", { serverName: "somebody-else.test" });
		await arrives(a, b, elsewhere);

		writeFileSync(files.keyFile, server.key);
		await b.transport.refreshCertificates();
		expect(await sends(a, to)).toMatch(/not that of carrier\.test/);

		writeFileSync(files.certFile, server.cert);
		await b.transport.refreshCertificates();
		await arrives(a, b, to);
		await arrives(a, b, elsewhere);
		expect(b.transport.stats().inbound).toBe(2);
	});

	test.each<[string, () => Partial<Record<"certFile" | "keyFile" | "caFile", string>>, RegExp]>([
		["a file that is not there", () => ({ caFile: join(directory, "no.pem") }), /no\.pem cannot be read/],
		[
			"a key of another certificate",
			() => ({ ...pair("s", server), keyFile: file("k.pem", wrong.key) }),
			/s\.crt\.pem and its key cannot be used/,
		],
	])("%s stops the start, and names it", async (_, tls, message) => {
		await expect(node({ tls: tls() })).rejects.toThrow(message);
	});
});

describe("strangers", () => {
	async function stranger(port: number): Promise<{ socket: Socket; text(): string; closed: Promise<unknown> }> {
		const socket = connect({ host: "127.0.0.1", port });
		sockets.push(socket);
		let text = "";
		socket.on("data", (data) => (text += data.toString("latin1")));
		socket.on("error", () => {});
		const closed = once(socket, "close");
		await once(socket, "connect");
		return { socket, text: () => text, closed };
	}

	it("a double CRLF gets a CRLF back", async () => {
		const b = await node();
		const { socket } = await stranger(b.transport.port);
		const data = once(socket, "data");
		socket.write("\r\n\r\n");
		expect(String((await data)[0])).toBe("\r\n");
	});

	it("more connections than one address may have are closed", async () => {
		const b = await node({ limits: { perSource: 2 } });
		await stranger(b.transport.port);
		await stranger(b.transport.port);
		await (await stranger(b.transport.port)).closed;
		expect(b.transport.stats()).toMatchObject({ inbound: 2, refused: 1 });
	});

	it("slow-loris over TCP, and over TLS a handshake that never comes: closed and forgotten", async () => {
		const b = await node({ tls: pair("server", server), limits: { firstMessageMs: 200 } });
		const [slow, mute] = [await stranger(b.transport.port), await stranger(b.transport.tlsPort ?? 0)];
		slow.socket.write("INVITE sip:");
		await Promise.all([slow.closed, mute.closed]);
		expect(b.transport.stats()).toMatchObject({ inbound: 0, cut: 2 });
	});

	it("a handshake that fails is forgotten at once", async () => {
		const b = await tlsNode();
		const { socket, closed } = await stranger(b.transport.tlsPort ?? 0);
		socket.write("GET / HTTP/1.1\r\n\r\n");
		await closed;
		expect(b.transport.stats().inbound).toBe(0);
	});

	it("TLS before 1.2 is refused", async () => {
		const b = await tlsNode();
		const socket = connectTls({
			host: "127.0.0.1",
			port: b.transport.tlsPort,
			maxVersion: "TLSv1.1",
			minVersion: "TLSv1",
			ciphers: "DEFAULT@SECLEVEL=0",
		});
		sockets.push(socket);
		const [error] = (await once(socket, "error")) as [Error];
		expect(error.message).toMatch(/version|protocol/i);
	});
});
