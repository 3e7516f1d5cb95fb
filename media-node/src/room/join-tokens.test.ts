import { describe, expect, it } from "vitest";
import { expiryOf, JoinTokens } from "./join-tokens.ts";

const token = (name: string, exp?: number) =>
	`h.${Buffer.from(JSON.stringify({ name, ...(exp === undefined ? {} : { exp }) })).toString("base64url")}.s`;

describe("tokens of a participant", () => {
	it("the server's newest is taken while it holds, the call's own after that", async () => {
		const own = token("own", 10_000);
		const tokens = new JoinTokens(own, undefined);
		expect(await tokens.current(0)).toBe(own);
		tokens.refresh(token("newer", 600));
		tokens.refresh("");
		expect(await tokens.current(0)).toBe(token("newer", 600));
		expect(await tokens.current(591_000)).toBe(own);
		expect(await tokens.fresh(591_000)).toBe(own);
	});

	it("a rejoin gets the server's newest, which knows of changes since the join; where that has ended or is refused, one of its own time", async () => {
		let made = 0;
		const tokens = new JoinTokens(token("own", 1), async () => token(`made ${++made}`, 10_000));
		tokens.refresh(token("newer", 600));
		expect(await tokens.fresh(0)).toBe(token("newer", 600));
		expect(await tokens.fresh(591_000)).toBe(token("made 1", 10_000));
		expect(await tokens.current(0)).toBe(token("made 1", 10_000));
		tokens.refresh(token("newer", 700));
		expect(tokens.refused(token("newer", 700))).toBe(true);
		expect(await tokens.fresh(0)).toBe(token("made 2", 10_000));
		expect(tokens.refused(token("made 2", 10_000))).toBe(false);
	});

	it("after a move by the server none leads back", async () => {
		const tokens = new JoinTokens(token("own"), async () => token("made"));
		tokens.moveTo("");
		expect(await tokens.fresh(0)).toBe(token("made"));
		tokens.moveTo(token("other room"));
		expect(await tokens.fresh(0)).toBe(token("other room"));
		expect(await tokens.current(0)).toBe(token("other room"));
	});

	it.each(["", "a.b.c", `a.${Buffer.from("7").toString("base64url")}.c`, token("no end")])("%s has no end", (text) => {
		expect(expiryOf(text)).toBeUndefined();
	});
});
