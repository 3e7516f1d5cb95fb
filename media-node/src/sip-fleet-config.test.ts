import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { captureLogs } from "@trunkline/testkit";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { expect, it } from "vitest";
import * as z from "zod";
import { systemClock } from "./health/clock.ts";
import { SIP_FLEET_FIELDS, sipFleetOptions } from "./sip-fleet-config.ts";
import { openSip } from "./sip-options.ts";

const schema = z.object(SIP_FLEET_FIELDS);
const OPTIONS = "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";

it("nothing set changes nothing", () => {
	expect(sipFleetOptions(schema.parse({}), { tlsPort: 5061 })).toEqual({ options: { tlsPort: 5061 } });
});

it("half a certificate, and two of them, are refused by name and without their contents", () => {
	const pem = "-----BEGIN PRIVATE KEY-----\nsecret";
	expect(sipFleetOptions(schema.parse({ SIP_TLS_KEY: pem }), {}).wrong).toBe("SIP_TLS_CERT must be set, because its other half is");
	expect(sipFleetOptions(schema.parse({ SIP_TLS_CERT: pem }), {}).wrong).toBe("SIP_TLS_KEY must be set, because its other half is");
	const both = sipFleetOptions(schema.parse({ SIP_TLS_CERT: pem, SIP_TLS_KEY: pem }), { tls: { certFile: "/a", keyFile: "/b" } });
	expect(both.wrong).toBe("SIP_TLS_CERT and SIP_TLS_CERT_FILE are two certificates: set one");
	const parsed = schema.safeParse({ SIP_TLS_KEY: "secret", SIP_BALANCED_TCP_PORT: "0" });
	expect(parsed.error?.issues.map(({ message }) => message)).toEqual(["must be a port number, 1 to 65535", "must be a key in PEM"]);
});

it("messages come by the balancer's TCP port and by TLS with a certificate of the settings", async () => {
	const authority = await TestAuthority.create();
	const { cert, key } = await authority.issue({ ip: ["127.0.0.1"] });
	const given = { SIP_BALANCED_TCP_PORT: String(await freePort()), SIP_TLS_CERT: cert, SIP_TLS_KEY: key };
	const { options } = sipFleetOptions(schema.parse(given), { tlsPort: 0 });
	const heard: string[] = [];
	let wake: () => void = () => {};
	const owner = {
		received: (_bytes: Uint8Array, remote: { transport: string }) => {
			heard.push(remote.transport);
			wake();
		},
		unreachable: () => {},
		needsConnectionWith: () => false,
		admitsConnection: () => true,
		isKnown: () => true,
	};
	const transport = await openSip(
		{ bindHost: "127.0.0.1", port: 0, advertisedHost: "127.0.0.1", ...options },
		systemClock(),
		captureLogs(),
		() => owner,
	);
	try {
		const tcp = connect({ host: "127.0.0.1", port: Number(given.SIP_BALANCED_TCP_PORT) });
		const tls = connectTls({ host: "127.0.0.1", port: transport.tlsPort ?? 0, ca: authority.cert });
		for (const socket of [tcp, tls]) {
			const next = new Promise<void>((resolve) => (wake = resolve));
			socket.write(OPTIONS);
			await next;
		}
		expect(heard).toEqual(["TCP", "TLS"]);
		for (const socket of [tcp, tls]) socket.destroy();
	} finally {
		await transport.close();
	}
});

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}
