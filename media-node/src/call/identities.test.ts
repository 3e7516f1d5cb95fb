import { expect, it } from "vitest";
import { Identities } from "./identities.ts";

it("one call at a time has an identity in a room", () => {
	const identities = new Identities();
	expect(identities.take("SCL_1", "lobby", "sip_anonymous")).toBe(true);
	expect(identities.take("SCL_2", "lobby", "sip_anonymous")).toBe(false);
	expect(identities.take("SCL_2", "other", "sip_anonymous")).toBe(true);
	identities.release("SCL_1");
	expect(identities.take("SCL_3", "lobby", "sip_anonymous")).toBe(true);
	for (const callId of ["SCL_1", "SCL_2", "SCL_3"]) identities.release(callId);
	expect(identities.size).toBe(0);
});

it("a room and an identity never read as another room and identity", () => {
	const identities = new Identities();
	expect(identities.take("SCL_1", "a b", "c")).toBe(true);
	expect(identities.take("SCL_2", "a", "b c")).toBe(true);
});
