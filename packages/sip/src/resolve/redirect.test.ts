import { expect, it } from "vitest";
import { field } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";
import { redirectContacts } from "./redirect.ts";

const moved = (...contacts: string[]): SipResponse => ({
	kind: "response",
	status: 302,
	reason: "Moved Temporarily",
	headers: contacts.map((contact) => field("Contact", contact)),
	body: new Uint8Array(0),
});

it("RFC 3261 §20.10: Contacts by q, the highest first; no q counts as 1", () => {
	const contacts = redirectContacts(moved("<sip:a@h1>;q=0.2, <sip:b@h2>;q=0.7", "<sip:c@h3>", "<sip:d@h4>;q=7"));
	expect(contacts.map(({ uri, q }) => [uri, q])).toEqual([
		["sip:c@h3", 1],
		["sip:d@h4", 1],
		["sip:b@h2", 0.7],
		["sip:a@h1", 0.2],
	]);
});

it("headers of a Contact's URI are left out, other schemes and rubbish ignored, and ten are enough", () => {
	const contacts = redirectContacts(moved("<sip:a@h1;transport=tcp?Route=%3Csip:evil%3E&X=1>", "<tel:+1>", "<http://x>", "*", "<sip:"));
	expect(contacts.map(({ uri }) => uri)).toEqual(["sip:a@h1;transport=tcp"]);
	expect(contacts[0]?.parsed).toMatchObject({ user: "a", host: "h1" });
	expect(contacts[0]?.parsed.headers).toBeUndefined();
	expect(redirectContacts(moved(...Array.from({ length: 100 }, (_, i) => `<sip:a@h${i}>`)))).toHaveLength(10);
	expect(redirectContacts(moved())).toEqual([]);
});
