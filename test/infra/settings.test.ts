import { expect, it } from "vitest";
import { blockOf } from "../../infra/ip.ts";
import { settingsOf } from "../../infra/settings.ts";

const of = (settings: unknown, stage = "dev") => settingsOf(stage, { stages: { [stage]: settings } }, "config.json");

it("a stage that nobody has described has one region, one zone and one node", () => {
	const { production, regions, zones, nodes, sip } = settingsOf("dev", { stages: {} }, "config.json");
	expect({ production, regions, zones, nodes, sip }).toEqual({
		production: false,
		regions: ["us-east-1"],
		zones: 1,
		nodes: { vcpu: 1, memoryGb: 2, min: 1, max: 20, calls: 100 },
		sip: { networks: [], fixedOutboundAddresses: false },
	});
});

it("production has two zones and two nodes unless it says otherwise", () => {
	expect(of({}, "production")).toMatchObject({ production: true, zones: 2, nodes: { min: 2 } });
	expect(of({ zones: 3, nodes: { min: 4, vcpu: 2 } }, "production")).toMatchObject({ zones: 3, nodes: { min: 4, calls: 200 } });
});

it.each([0.5, 1, 2, 4, 8])("a node of %s vCPU has memory that Fargate has for it", (vcpu) => {
	expect(of({ nodes: { vcpu } }).nodes.memoryGb).toBe(2 * vcpu);
});

it("providers stand for the addresses that they publish", () => {
	const { networks } = of({ sip: { providers: ["twilio"], networks: ["198.51.100.9/24"] } }).sip;
	expect(networks).toContain("198.51.100.0/24");
	expect(networks).toContain("54.172.60.0/30");
	expect(networks.every((block) => blockOf(block) === block)).toBe(true);
});

it.each([
	["a provider that does not publish all", { sip: { providers: ["exotel"] } }, /Exotel .*does not publish all addresses/],
	[
		"more networks than a security group holds",
		{ sip: { networks: Array.from({ length: 26 }, (_, i) => `192.0.${i}.0/24`) } },
		/26 networks are more than the 25/,
	],
	["fixed addresses towards nobody", { sip: { fixedOutboundAddresses: true } }, /fixedOutboundAddresses needs/],
	["a region twice", { regions: ["eu-west-1", "eu-west-1"] }, /twice/],
	["no region", { regions: ["dublin"] }, /stages.dev.regions.0: is no AWS region/],
	[
		"a setting for a region that is not there",
		{ livekitUrls: { "eu-west-1": "wss://a.example" } },
		/eu-west-1 has a setting but is no region/,
	],
	["a name outside of its zone", { zones: 2, domain: { name: "api.example.com", zone: "example.org" } }, /is not in the zone/],
	["a domain in one zone", { domain: { name: "api.example.com", zone: "example.com" } }, /needs zones to be 2/],
	["IPv6, which the load balancer's UDP has not", { sip: { networks: ["2001:db8::/32"] } }, /is no IPv4 address/],
	["a misspelt setting", { node: {} }, /stages.dev: Unrecognized key: "node"/],
	["memory that Fargate has not for the processors", { nodes: { vcpu: 4, memoryGb: 2 } }, /8 to 30 GB in steps of 1 for 4 vCPU/],
	["memory between Fargate's steps", { nodes: { vcpu: 8, memoryGb: 17 } }, /16 to 60 GB in steps of 4/],
	["fewer nodes at most than at least", { nodes: { min: 3, max: 2 } }, /nodes.max is less/],
])("%s is refused in words", (_, settings, message) => {
	expect(() => of(settings)).toThrow(message);
});

it("a stage's name ends up in names of queues and parameters", () => {
	expect(() => of({}, "Pull Request")).toThrow(/must be up to 20 lower-case letters/);
});

it("blocks have no host bits", () => {
	expect(["10.1.2.3/8", "192.0.2.1", "192.0.2.129/25", "0.0.0.0/0", "192.0.2.1/33", "1.2.3", "2001:db8::1"].map(blockOf)).toEqual([
		"10.0.0.0/8",
		"192.0.2.1/32",
		"192.0.2.128/25",
		"0.0.0.0/0",
		undefined,
		undefined,
		undefined,
	]);
});

it("no stage has a name that makes its nodes' queues another stage's", () => {
	for (const stage of ["dev-node", "dev-node-1"]) expect(() => of({}, stage)).toThrow(/must not have -node/);
	for (const stage of ["node", "dev-nodes", "nodejs"]) expect(of({}, stage).regions).toEqual(["us-east-1"]);
});
