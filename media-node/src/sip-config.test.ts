import { describe, expect, it, test } from "vitest";
import * as z from "zod";
import { ipv6Of, SIP_FIELDS, sipOptions } from "./sip-config.ts";

const schema = z.object(SIP_FIELDS);
const read = (variables: Record<string, string>, host = "0.0.0.0") => sipOptions(schema.parse(variables), host);

describe("settings of SIP over connections", () => {
	it("nothing set: TLS has no certificate, limits are the default ones, no IPv6 beside IPv4", () => {
		expect(read({})).toEqual({ options: { tlsPort: 5061, tls: {}, connections: {} } });
	});

	it("all of them set", () => {
		const { options, wrong } = read({
			ADVERTISED_ADDRESS_6: "2001:db8::1",
			SIP_TLS_PORT: "5071",
			SIP_TLS_CERT_FILE: "c",
			SIP_TLS_KEY_FILE: "k",
			SIP_TLS_CA_FILE: "a",
			SIP_TLS_CLIENT_CA_FILE: "m",
			SIP_TLS_CLIENT_DIR: "d",
			SIP_MAX_CONNECTIONS: "7",
			SIP_MAX_CONNECTIONS_PER_SOURCE: "3",
		});
		expect(wrong).toBeUndefined();
		expect(options).toEqual({
			tlsPort: 5071,
			tls: { certFile: "c", keyFile: "k", caFile: "a", clientCaFile: "m", clientDir: "d" },
			connections: { inbound: 7, perSource: 3 },
			bindHost6: "::",
			advertisedHost6: "2001:db8::1",
		});
		expect(ipv6Of(options)).toEqual({ bindHost6: "::", advertisedAddress6: "2001:db8::1" });
	});

	it("whoever listens on one IPv4 address listens on one IPv6 address", () => {
		expect(read({ ADVERTISED_ADDRESS_6: "::1" }, "127.0.0.1").options.bindHost6).toBe("::1");
	});

	test.each([
		[{ SIP_TLS_CERT_FILE: "c" }, "0.0.0.0", "SIP_TLS_KEY_FILE must be set"],
		[{ SIP_TLS_KEY_FILE: "k" }, "0.0.0.0", "SIP_TLS_CERT_FILE must be set"],
		[{ SIP_TLS_CLIENT_CA_FILE: "m" }, "0.0.0.0", "SIP_TLS_CERT_FILE must be set"],
		[{ ADVERTISED_ADDRESS_6: "2001:db8::1" }, "::", "ADVERTISED_ADDRESS_6 is for a node that has IPv4 too"],
	])("%j on %s is half a setting", (variables, host, wrong) => {
		expect(read(variables as unknown as Record<string, string>, host).wrong).toMatch(wrong);
	});

	test.each([{ SIP_TLS_PORT: "66000" }, { ADVERTISED_ADDRESS_6: "192.0.2.1" }, { SIP_MAX_CONNECTIONS: "0" }])(
		"%j is no value",
		(variables) => {
			expect(schema.safeParse(variables).success).toBe(false);
		},
	);
});
