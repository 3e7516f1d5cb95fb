import { PROVIDER_IDS, type ProviderProfile, providerProfileSchema } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { attributesFromHeaders } from "../participant/headers.ts";
import { parseNetwork } from "../address.ts";
import { providerOfHost, providerProfile, providerProfiles, signallingNetworks } from "./profiles.ts";

/** Every statement in a profile. */
function statements(profile: ProviderProfile): { source: string; unsure?: boolean }[] {
	const found: { source: string; unsure?: boolean }[] = [];
	const walk = (value: unknown): void => {
		if (typeof value !== "object" || value === null) return;
		if ("source" in value && typeof value.source === "string") found.push(value as never);
		Object.values(value).forEach(walk);
	};
	walk(profile);
	return found;
}

describe.each(PROVIDER_IDS)("profile %s", (id) => {
	const profile = providerProfile(id);

	it("is what the schema says", () => {
		expect(providerProfileSchema.parse(profile)).toEqual(profile);
		expect(profile.id).toBe(id);
	});

	it("has a source for each statement", () => {
		const all = statements(profile);
		expect(all.length).toBeGreaterThan(8);
		for (const { source } of all) expect(Object.keys(profile.sources)).toContain(source);
	});

	it("is unsure of what nobody documents", () => {
		const claims = statements(profile).filter(({ source, unsure }) => source === "undocumented" && unsure !== true);
		expect(claims).toEqual([]);
	});

	it("has networks in their one form, each once", () => {
		const texts = profile.addresses.map(({ network, use }) => `${use} ${network}`);
		expect(new Set(texts).size).toBe(texts.length);
		for (const { network } of profile.addresses) {
			const parsed = parseNetwork(network);
			expect(`${parsed?.address.toString()}/${parsed?.prefixLength}`).toBe(network);
		}
	});

	it("maps the headers that become attributes of every call", () => {
		const names = Object.entries(profile.headersToAttributes);
		const headers = names.map(([name]) => ({ name, value: `value of ${name}` }));
		expect(attributesFromHeaders(headers, { includeHeaders: "NO", headersToAttributes: {}, hidePhoneNumber: false })).toEqual(
			Object.fromEntries(names.map(([name, attribute]) => [attribute, `value of ${name}`])),
		);
	});

	it("a busy, unwilling or unknown callee sends no call to another target", () => {
		for (const final of [404, 486, 600, 603, 604]) expect(profile.failover.ours).not.toContain(final);
	});
});

it("there are no more profiles than ids", () => expect(providerProfiles().map(({ id }) => id)).toEqual([...PROVIDER_IDS]));

it.each([
	["acme.pstn.twilio.com", "twilio"],
	["acme.pstn.dublin.twilio.com:5061", "twilio"],
	["SIP.TELNYX.COM", "telnyx"],
	["sip.telnyx.eu.", "telnyx"],
	["pstn.in2.exotel.com:5070", "exotel"],
	["123.zt.plivo.com", "plivo"],
	["nl.wavix.net", "wavix"],
	["pstn.twilio.com.example.com", undefined],
	["example.com", undefined],
	[".pstn.twilio.com", undefined],
	["xpstn.twilio.com", undefined],
	["203.0.113.7", undefined],
])("the host %s is of %s", (host, provider) => expect(providerOfHost(host)).toBe(provider));

it("networks are taken for all there are only where the provider publishes all", () => {
	expect(signallingNetworks("twilio")).toContain("54.172.60.0/30");
	expect(signallingNetworks("twilio")).not.toContain("168.86.128.0/18");
	expect(signallingNetworks("telnyx")).toEqual(expect.arrayContaining(["192.76.120.14/32", "185.246.41.140/32", "5.172.39.10/32"]));
	for (const id of ["generic", "exotel", "plivo", "wavix", "genesys-avaya", "india"] as const) expect(signallingNetworks(id)).toEqual([]);
});
