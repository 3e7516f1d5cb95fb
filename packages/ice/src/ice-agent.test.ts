import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { IceAgent, type IceAgentOptions, type IceOutput } from "./ice-agent.ts";
import { IceLite } from "./ice-lite.ts";
import { bindingError, keyOfPassword, parseBindingRequest, ROLE_CONFLICT } from "./stun.ts";

const hmacSha1 = (key: Uint8Array) => (message: Uint8Array, tail: Uint8Array) =>
	createHmac("sha1", key).update(message).update(tail).digest();
const A = { ufrag: "aaaa", password: "the password of A" };
const B = { ufrag: "bbbb", password: "the password of B" };
const A_ADDRESS = { address: "192.0.2.1", port: 1000 };
const B_ADDRESS = { address: "192.0.2.2", port: 2000 };

/** mulberry32 */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}

function agent(own: typeof A, controlling: boolean, random: () => number, more: Partial<IceAgentOptions> = {}): IceAgent {
	const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
	return new IceAgent({ ...own, controlling, tieBreaker: bytes(8), random: bytes, hmacSha1, ...more });
}

type Far = IceAgent | IceLite;

/** Two agents with an address each, a network that loses, and a clock. */
function network(a: IceAgent, b: Far, loss: () => boolean, delayMs = 10) {
	const told: { a: IceOutput[]; b: IceOutput[] } = { a: [], b: [] };
	let inFlight: { at: number; to: "a" | "b"; packet: Uint8Array; from: { address: string; port: number } }[] = [];
	let now = 0;
	let isCut = false;
	const post = (to: "a" | "b", packet: Uint8Array): void => {
		if (!isCut && !loss()) inFlight.push({ at: now + delayMs, to, packet, from: to === "a" ? B_ADDRESS : A_ADDRESS });
	};
	const drain = (): void => {
		for (const [name, end] of [
			["a", a],
			["b", b],
		] as const) {
			if (end instanceof IceLite) continue;
			for (let output = end.poll(); output !== undefined; output = end.poll()) {
				if (output.kind === "send") post(name === "a" ? "b" : "a", output.packet);
				else told[name].push(output);
			}
		}
	};
	const run = (untilMs: number): void => {
		while (now < untilMs) {
			drain();
			const times = [a, b].map((end) => (end instanceof IceLite ? undefined : end.nextAt) ?? Number.POSITIVE_INFINITY);
			now = Math.max(now, Math.min(untilMs, ...times, ...inFlight.map(({ at }) => at)));
			const due = inFlight.filter(({ at }) => at <= now);
			inFlight = inFlight.filter(({ at }) => at > now);
			for (const { to, packet, from } of due) {
				const end = to === "a" ? a : b;
				if (end instanceof IceLite) {
					const check = end.receive(packet, from.address, from.port);
					if (check !== undefined) post("a", check.reply);
				} else end.receive(packet, { local: 0, ...from }, now);
				drain();
			}
			for (const end of [a, b]) if (!(end instanceof IceLite)) end.tick(now);
		}
	};
	return { told, run, cut: (cut: boolean) => (isCut = cut), now: () => now };
}

function meet(a: IceAgent, b: IceAgent): void {
	a.addLocal({ id: 0, priority: 100 }, 0);
	b.addLocal({ id: 0, priority: 100 }, 0);
	a.setRemote({ ...B, isLite: false }, 0);
	b.setRemote({ ...A, isLite: false }, 0);
	a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
	b.addRemote({ ...A_ADDRESS, priority: 100 }, 0);
}

const never = (): boolean => false;

describe("two full agents", () => {
	it("both select the pair within three round trips", () => {
		const random = seeded(1);
		const [a, b] = [agent(A, true, random), agent(B, false, random)];
		meet(a, b);
		const { told, run } = network(a, b, never);
		run(65);
		expect(told).toEqual({ a: [{ kind: "selected", local: 0, ...B_ADDRESS }], b: [{ kind: "selected", local: 0, ...A_ADDRESS }] });
		expect(a.path).toMatchObject(B_ADDRESS);
		expect(b.isValid(A_ADDRESS.address, A_ADDRESS.port)).toBe(true);
		expect(b.isValid("192.0.2.66", 1)).toBe(false);
	});

	it("four of ten packets lost: both select, whatever the seed", () => {
		for (let seed = 1; seed <= 100; seed++) {
			const random = seeded(seed);
			const [a, b] = [agent(A, true, random), agent(B, false, random)];
			meet(a, b);
			const { told, run } = network(a, b, () => random() < 0.4);
			run(29_000);
			expect([told.a[0]?.kind, told.b[0]?.kind], `seed ${seed}`).toEqual(["selected", "selected"]);
		}
	});

	it.each([[true], [false]])("RFC 8445 §7.3.1.1: both say controlling %s, and one gives in", (controlling) => {
		for (const [first, second] of [
			[9, 1],
			[1, 9],
		] as const) {
			const random = seeded(3);
			const a = agent(A, controlling, random, { tieBreaker: new Uint8Array(8).fill(first) });
			const b = agent(B, controlling, random, { tieBreaker: new Uint8Array(8).fill(second) });
			meet(a, b);
			const { told, run } = network(a, b, never);
			run(2_000);
			expect([a.controlling, b.controlling]).toEqual([first > second, second > first]);
			expect([told.a[0]?.kind, told.b[0]?.kind]).toEqual(["selected", "selected"]);
		}
	});

	it("an address that no description had is a way, too (peer-reflexive, §7.3.1.3)", () => {
		const random = seeded(4);
		const [a, b] = [agent(A, true, random), agent(B, false, random)];
		a.addLocal({ id: 0, priority: 100 }, 0);
		b.addLocal({ id: 0, priority: 100 }, 0);
		a.setRemote({ ...B, isLite: false }, 0);
		b.setRemote({ ...A, isLite: false }, 0);
		a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
		const { told, run } = network(a, b, never);
		run(200);
		expect(told.b).toEqual([{ kind: "selected", local: 0, ...A_ADDRESS }]);
	});

	it("nobody there: given up after 30 s", () => {
		const a = agent(A, true, seeded(5));
		a.addLocal({ id: 0, priority: 100 }, 0);
		a.setRemote({ ...B, isLite: false }, 0);
		a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
		const { told, run, now } = network(a, agent(B, false, seeded(6)), () => true);
		run(40_000);
		expect(told.a).toEqual([{ kind: "failed", reason: "no way to the peer was found (ICE)" }]);
		expect(now()).toBe(40_000);
		expect(a.nextAt).toBeUndefined();
	});

	it("RFC 7675: consent goes on while the peer answers, and ends 30 s after it stops", () => {
		const random = seeded(7);
		const [a, b] = [agent(A, true, random), agent(B, false, random)];
		meet(a, b);
		const { told, run, cut } = network(a, b, never);
		run(300_000);
		expect(told.a).toHaveLength(1);
		cut(true);
		run(324_000);
		// what is not dead by RFC 7675 may be better off with a restart
		expect(told.a.map(({ kind }) => kind)).toEqual(["selected", "silent"]);
		run(340_000);
		expect(told.a.at(-1)).toEqual({ kind: "failed", reason: expect.stringContaining("consent has expired") });
	});

	it("a path that is dead for 20 s and comes back goes on", () => {
		const random = seeded(8);
		const [a, b] = [agent(A, true, random), agent(B, false, random)];
		meet(a, b);
		const { told, run, cut } = network(a, b, never);
		run(10_000);
		cut(true);
		run(30_000);
		cut(false);
		run(200_000);
		for (const each of [told.a, told.b]) expect(each.map(({ kind }) => kind)).toEqual(["selected", "silent"]);
	});
});

it("a lite peer: we control, and the first check nominates", () => {
	const a = agent(A, false, seeded(9));
	a.addLocal({ id: 0, priority: 100 }, 0);
	a.setRemote({ ...B, isLite: true }, 0);
	a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
	const lite = new IceLite({ ...B, remoteUfrag: A.ufrag }, hmacSha1);
	const { told, run } = network(a, lite, never);
	run(25);
	expect(a.controlling).toBe(true);
	expect(told.a).toEqual([{ kind: "selected", local: 0, ...B_ADDRESS }]);
	expect(lite.selected).toEqual(A_ADDRESS);
});

it("checks and answers under another password change nothing", () => {
	const random = seeded(10);
	const [a, forger] = [agent(A, true, random), agent({ ...B, password: "another password" }, false, random)];
	meet(a, forger);
	forger.setRemote({ ...A, isLite: false }, 0);
	const { told, run } = network(a, forger, never);
	run(5_000);
	expect(told.a).toEqual([]);
	expect(a.path).toBeUndefined();
});

it("RFC 8445 §7.2.5.1: a peer that answers every check with 487 is asked no more than a few times, and given up after 30 s", () => {
	const a = agent(A, true, seeded(11));
	a.addLocal({ id: 0, priority: 100 }, 0);
	a.setRemote({ ...B, isLite: false }, 0);
	a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
	const key = hmacSha1(keyOfPassword(B.password));
	const roles: (boolean | undefined)[] = [];
	const told: IceOutput[] = [];
	for (let now = 0; now <= 30_000 && roles.length < 1_000; now = Math.max(now + 1, a.nextAt ?? 40_000)) {
		a.tick(now);
		for (let output = a.poll(); output !== undefined && roles.length < 1_000; output = a.poll()) {
			if (output.kind !== "send") told.push(output);
			else {
				roles.push(parseBindingRequest(output.packet)?.controlling);
				a.receive(bindingError(output.packet, ROLE_CONFLICT, key), { local: 0, ...B_ADDRESS }, now);
			}
		}
	}
	expect(roles).toEqual([true, false, true, false]);
	expect(told).toEqual([{ kind: "failed", reason: "no way to the peer was found (ICE)" }]);
});

it("two checks of the same role that are both answered with 487 are one change of role", () => {
	const a = agent(A, true, seeded(12));
	a.addLocal({ id: 0, priority: 100 }, 0);
	a.addLocal({ id: 1, priority: 90 }, 0);
	a.setRemote({ ...B, isLite: false }, 0);
	a.addRemote({ ...B_ADDRESS, priority: 100 }, 0);
	a.tick(20);
	const checks = [a.poll(), a.poll()].flatMap((output) => (output?.kind === "send" ? [output] : []));
	expect(checks.map(({ local }) => local)).toEqual([0, 1]);
	const key = hmacSha1(keyOfPassword(B.password));
	for (const { packet, local } of checks) a.receive(bindingError(packet, ROLE_CONFLICT, key), { local, ...B_ADDRESS }, 30);
	expect(a.controlling).toBe(false);
});
