import { createHmac } from "node:crypto";
import { bindingRequest } from "@trunkline/testkit/stun";
import { expect, it } from "vitest";
import { IceLite } from "./ice-lite.ts";

const credentials = { ufrag: "ours", password: "the password of ours", remoteUfrag: "theirs" };
const agent = (): IceLite =>
	new IceLite(credentials, (key) => (message, tail) => createHmac("sha1", key).update(message).update(tail).digest());
const check = (nominates = false, password = credentials.password, username = "ours:theirs"): Uint8Array =>
	bindingRequest(username, password, nominates);

it("answers the peer's checks, and media go where the first one came from until another pair is nominated", () => {
	const ice = agent();
	expect(ice.selected).toBeUndefined();
	const first = ice.receive(check(), "192.0.2.1", 4000);
	expect(first?.reply.subarray(0, 2)).toEqual(Uint8Array.of(1, 1));
	expect(first?.selects).toBe(true);
	expect(ice.receive(check(), "192.0.2.2", 4000)?.selects).toBe(false);
	expect(ice.selected).toEqual({ address: "192.0.2.1", port: 4000 });
	expect(ice.receive(check(true), "192.0.2.2", 4000)?.selects).toBe(true);
	expect(ice.selected).toEqual({ address: "192.0.2.2", port: 4000 });
	// consent goes on (RFC 7675) and changes nothing
	expect(ice.receive(check(true), "192.0.2.2", 4000)?.selects).toBe(false);
});

it.each([
	["another password", check(true, "another password")],
	["another user", check(true, credentials.password, "ours:others")],
	["the users the other way round", check(true, credentials.password, "theirs:ours")],
	["only our half of the user name", check(true, credentials.password, "ours")],
	["a cut check", check(true).subarray(0, 40)],
	["no STUN", new Uint8Array(40)],
])("%s: no answer, and the address is no way to the peer", (_name, packet) => {
	const ice = agent();
	expect(ice.receive(packet, "192.0.2.66", 6666)).toBeUndefined();
	expect(ice.isValid("192.0.2.66", 6666)).toBe(false);
	expect(ice.selected).toBeUndefined();
});

it("only addresses that checks came from are ways to the peer, and there is an end to how many", () => {
	const ice = agent();
	ice.receive(check(true), "192.0.2.1", 4000);
	expect(ice.isValid("192.0.2.1", 4000)).toBe(true);
	expect(ice.isValid("192.0.2.1", 4001)).toBe(false);
	for (let port = 5000; port < 5016; port++) ice.receive(check(), "192.0.2.1", port);
	expect(ice.isValid("192.0.2.1", 4000)).toBe(false);
	expect(ice.isValid("192.0.2.1", 5000)).toBe(true);
});
