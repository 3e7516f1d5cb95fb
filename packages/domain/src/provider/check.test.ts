import type { InboundTrunk, OutboundTrunk, TrunkSettings } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { DomainError } from "../errors.ts";
import { inboundTrunk, outboundTrunk } from "../samples.ts";
import { validateInboundTrunk, validateOutboundTrunk } from "../trunk/validate.ts";

const credentials = { authUsername: "u", authPassword: "p" };
const exotel = { address: "pstn.in2.exotel.com:5070", transport: "TCP", fromHost: "acme.pstn.exotel.com" } as const;

function refusalOf(validate: () => void): [string, string] | undefined {
	try {
		validate();
		return undefined;
	} catch (error) {
		if (!(error instanceof DomainError)) throw error;
		expect(error.code).toBe("invalid_argument");
		return [error.meta["field"] ?? "", error.message];
	}
}

describe("an inbound trunk is refused", () => {
	it.each<[string, Partial<InboundTrunk>, TrunkSettings, string, RegExp]>([
		["Twilio with credentials", credentials, { provider: "twilio" }, "provider", /Twilio.* cannot answer a request for credentials/],
		["Exotel with credentials", credentials, { provider: "exotel" }, "provider", /Exotel.* cannot answer/],
		["a registration", {}, { registration: { enabled: true } }, "registration.enabled", /belongs to an outbound trunk/],
		["bridging over itself", {}, { transfer: { bridgeTrunkId: "same" } }, "transfer.bridgeTrunkId", /no address to call/],
		["Replaces of Twilio", {}, { provider: "twilio", transfer: { replaces: true } }, "transfer.replaces", /blind only/],
		["Replaces of Wavix", {}, { provider: "wavix", transfer: { replaces: true } }, "transfer.replaces", /blind only/],
		[
			"a session shorter than the shortest",
			{},
			{ sessionTimer: { expiresSeconds: 90, minSeconds: 120 } },
			"sessionTimer.expiresSeconds",
			/120/,
		],
		[
			"a session shorter than the shortest by default",
			{},
			{ sessionTimer: { minSeconds: 3600 } },
			"sessionTimer.expiresSeconds",
			/1800, less/,
		],
		["hosts of redirects that are not followed", {}, { redirectHosts: ["a.example"] }, "redirectHosts", /followRedirects/],
	])("%s", (_name, trunk, settings, field, message) => {
		const refused = refusalOf(() => validateInboundTrunk(inboundTrunk({ numbers: ["+15550100"], ...trunk, settings })));
		expect(refused?.[0]).toBe(field);
		expect(refused?.[1]).toMatch(message);
	});
});

describe("an outbound trunk is refused", () => {
	it.each<[string, Partial<OutboundTrunk>, TrunkSettings, string, RegExp]>([
		[
			"Exotel over UDP",
			{ ...exotel, transport: "UDP" },
			{ provider: "exotel" },
			"provider",
			/TCP \(port 5070\) or TLS \(port 443\), the trunk's transport is UDP/,
		],
		[
			"Exotel over what the DNS says",
			{ ...exotel, transport: "AUTO" },
			{ provider: "exotel" },
			"provider",
			/the trunk's transport is AUTO/,
		],
		["Exotel with credentials", { ...exotel, ...credentials }, { provider: "exotel" }, "provider", /asks for no credentials/],
		["Exotel from another host", { ...exotel, fromHost: "" }, { provider: "exotel" }, "provider", /<account sid>\.pstn\.exotel\.com/],
		[
			"another provider's address",
			{ address: "sip.telnyx.com" },
			{ provider: "twilio" },
			"provider",
			/is twilio, but .*"sip\.telnyx\.com" is one of Telnyx/,
		],
		["a registration without credentials", {}, { registration: { enabled: true } }, "registration.enabled", /auth_username/],
		[
			"a registration with Plivo",
			{ address: "1.zt.plivo.com", ...credentials },
			{ provider: "plivo", registration: { enabled: true } },
			"registration.enabled",
			/no registration/,
		],
		[
			"TLS settings over UDP",
			{ transport: "UDP" },
			{ tls: { minVersion: "TLSv1.3" } },
			"tls",
			/transport UDP: set the trunk's transport to TLS/,
		],
		["a client certificate over TCP", { transport: "TCP" }, { tls: { clientCertificate: "acme" } }, "tls", /transport TCP/],
		["a port in a certificate's name", { transport: "TLS" }, { tls: { serverName: "a.example:5061" } }, "tls.serverName", /no port/],
		["a header in an identity", {}, { identity: { assertedIdentity: "tel:+1\r\nX: y" } }, "identity.assertedIdentity", /tel URI/],
		["a redirect to what is no host", {}, { followRedirects: true, redirectHosts: ["a b"] }, "", /hostname/],
		["a header in a user", {}, { identity: { fromUser: 'a"<b' } }, "identity.fromUser", /must be a user name/],
		// JSON may have it; no URI can.
		["half a character in a user", {}, { identity: { fromUser: "a\ud800" } }, "", /^identity.fromUser must be well-formed Unicode/],
		[
			"half a character in an account",
			{},
			{ registration: { enabled: false, user: "\udc00b" } },
			"",
			/^registration.user must be well-formed/,
		],
	])("%s", (_name, trunk, settings, field, message) => {
		const refused = refusalOf(() => validateOutboundTrunk(outboundTrunk({ ...trunk, settings })));
		expect(refused?.[0]).toBe(field);
		expect(refused?.[1]).toMatch(message);
	});

	it.each([["sip:a@b c"], ["sip:+1@exam ple.com"], ["sip:a@example.com>;x=y"]])("the identity %s", (assertedIdentity) => {
		expect(refusalOf(() => validateOutboundTrunk(outboundTrunk({ settings: { identity: { assertedIdentity } } })))).toBeDefined();
	});
});

describe("passes", () => {
	it.each<[string, Partial<InboundTrunk>, TrunkSettings]>([
		["Twilio by its addresses", {}, { provider: "twilio" }],
		["Telnyx with Replaces", {}, { provider: "telnyx", transfer: { replaces: true } }],
		["Plivo with Replaces, of which nobody is sure", {}, { provider: "plivo", transfer: { replaces: true } }],
		["anybody with credentials", credentials, { provider: "generic" }],
		["bridging over an outbound trunk", {}, { transfer: { bridgeTrunkId: "ST_out" } }],
	])("inbound: %s", (_name, trunk, settings) => {
		expect(refusalOf(() => validateInboundTrunk(inboundTrunk({ numbers: ["+15550100"], ...trunk, settings })))).toBeUndefined();
	});

	it.each<[string, Partial<OutboundTrunk>, TrunkSettings]>([
		["Exotel over TCP", exotel, { provider: "exotel" }],
		["Exotel over TLS", { ...exotel, transport: "TLS" }, { provider: "exotel", tls: { minVersion: "TLSv1.2" } }],
		["Wavix over TLS, of which nobody is sure", { address: "us.wavix.net", transport: "TLS", ...credentials }, { provider: "wavix" }],
		["Telnyx with a registration", { address: "sip.telnyx.com", ...credentials }, { provider: "telnyx", registration: { enabled: true } }],
		["a private edge of a provider", { address: "192.0.2.7" }, { provider: "twilio" }],
		["TLS settings where the DNS decides", {}, { tls: { serverName: "sip.example.com" } }],
		["identities", {}, { identity: { assertedIdentity: "sip:+15550100@example.com;user=phone", fromUser: "account-7" } }],
		["a user with characters beyond the basic plane", {}, { identity: { fromUser: "ü🤖" } }],
		["redirects to anybody below a domain", {}, { followRedirects: true, redirectHosts: ["*", "*.example.com", "192.0.2.7:5060"] }],
		["a tel identity", {}, { identity: { assertedIdentity: "tel:+1-555-0100;ext=7" } }],
	])("outbound: %s", (_name, trunk, settings) => {
		expect(refusalOf(() => validateOutboundTrunk(outboundTrunk({ ...trunk, settings })))).toBeUndefined();
	});
});
