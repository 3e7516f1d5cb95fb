import { expect, it } from "vitest";
import { inviteRouting } from "./invite-routing.ts";

const mayCall = async () => undefined;

it("without settings: 503 leads on, and a 3xx is not followed", () => {
	const routing = inviteRouting({ address: "sip.example:5070" }, mayCall);
	expect(routing.redirects).toBeUndefined();
	expect(routing.failoverStatuses).toContain(503);
	for (const final of [404, 486, 603]) expect(routing.failoverStatuses).not.toContain(final);
});

it.each([
	["SIP.example:5070", "sip.example"],
	["192.0.2.1", "192.0.2.1"],
	["[2001:db8::1]:5070", "2001:db8::1"],
])("followRedirects: to the trunk's own host and those it names: %s", (address, host) => {
	const routing = inviteRouting({ address, settings: { followRedirects: true, redirectHosts: ["*.carrier.example"] } }, mayCall);
	expect(routing.redirects).toEqual({ hosts: [host, "*.carrier.example"], mayCall });
});
