import { describe, expect, it } from "vitest";
import { utf8Encode } from "../grammar/text.ts";
import { Defence, type DefenceOptions } from "./defence.ts";
import { firstSight, SCANNERS } from "./scan.ts";
import { sourceOf } from "./source.ts";

const STRANGER = "198.51.100.9";
const CARRIER = "192.0.2.10";
const message = (agent = "Phone/1.0", line = "INVITE sip:1@example.com SIP/2.0"): Uint8Array =>
	utf8Encode(`${line}\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK1\r\nUser-Agent: ${agent}\r\nCall-ID: a\r\n\r\n`);
const defence = (options: Partial<DefenceOptions> = {}) => new Defence({ isProtected: (host) => host === CARRIER, ...options });

describe("scanners and junk are dropped before they are parsed", () => {
	it.each([...SCANNERS])("User-Agent %s", (name) => {
		expect(firstSight(message(`${name.toUpperCase()}/1.0`))).toBe("scanner");
		expect(defence().admit(message(name), STRANGER, 0).verdict).toBe("scanner");
	});

	it("telephones, whatever they write, are not", () => {
		for (const agent of ["Twilio Gateway", "FreeSWITCH-mod_sofia/1.10", "Asterisk PBX 20", "Phone", ""])
			expect(firstSight(message(agent))).toBe("request");
		expect(firstSight(utf8Encode("INVITE sip:1@x SIP/2.0\r\nSubject: friendly-scanner\r\n\r\nUser-Agent: friendly-scanner"))).toBe(
			"request",
		);
		expect(firstSight(message("x", "!interesting-Method0123456789_*+`.%indeed'~ sip:x@y SIP/2.0"))).toBe("request");
		expect(firstSight(utf8Encode("SIP/2.0 200 OK\r\n\r\n"))).toBe("response");
	});

	it("what the parser has an answer for passes: another version, spaces where none belong", () => {
		for (const line of ["INVITE sip:1@x SIP/7.0", "INVITE  sip:1@x  SIP/2.0", "OPTIONS sip:1@x; lr SIP/2.0  "])
			expect(firstSight(message("x", line))).toBe("request");
	});

	it("keep-alives are neither (RFC 5626 §3.5.1)", () => {
		for (const bytes of [[], [0], [13, 10], [13, 10, 13, 10], [0, 0, 0, 0]]) expect(firstSight(Uint8Array.from(bytes))).toBe("keep-alive");
	});

	it("STUN, RTP, DNS, HTTP and noise are junk", () => {
		for (const junk of ["GET / HTTP/1.1\r\n\r\n", "\u0080\u0000\u0001", "INVITE sip:x SIP/2.0", "INVITE\r\n", " \r\n", "SIPX/2.0\r\n"])
			expect(firstSight(utf8Encode(junk)), junk).toBe("junk");
		expect(firstSight(Uint8Array.from([0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42]))).toBe("junk");
		expect(firstSight(new Uint8Array(60_000).fill(0x41))).toBe("junk");
	});
});

describe("token bucket of each source", () => {
	it("a stranger has 40 datagrams at once and 20 a second, and nobody else suffers from it", () => {
		const guard = defence({ limits: { banAt: 1e9 } });
		const passed = (from: string, count: number, now: number) =>
			Array.from({ length: count }, () => guard.admit(message(), from, now).verdict).filter((verdict) => verdict === "pass").length;
		expect(passed(STRANGER, 500, 0)).toBe(40);
		expect(passed(STRANGER, 500, 1_000)).toBe(20);
		expect(passed("198.51.100.10", 10, 1_000)).toBe(10);
		expect(passed(CARRIER, 3_000, 1_000)).toBeGreaterThan(200);
		expect(guard.counts(1_000)["dropped-rate"]).toBeGreaterThanOrEqual(700);
	});

	it("peers and trunks' addresses have a larger allowance", () => {
		const guard = defence();
		guard.trust("203.0.113.1", 0);
		for (let i = 0; i < 5_000; i++) expect(guard.admit(message(), "203.0.113.1", 0).verdict).toBe("pass");
	});

	it("a clock that goes back gives nothing", () => {
		const guard = defence({ limits: { strangerBurst: 1, strangerRate: 1, banAt: 1e9 } });
		expect(guard.admit(message(), STRANGER, 10_000).verdict).toBe("pass");
		expect(guard.admit(message(), STRANGER, 5_000).verdict).toBe("rate");
	});

	it("new connections are limited apart", () => {
		const guard = defence();
		const opened = Array.from({ length: 100 }, () => guard.admitConnection(STRANGER, 0)).filter(Boolean);
		expect(opened).toHaveLength(30);
		expect(guard.admit(message(), STRANGER, 0).verdict).toBe("pass");
	});
});

describe("bans", () => {
	const offend = (guard: Defence, now: number, host = STRANGER) => {
		for (let i = 0; i < 20; i++) {
			const ban = guard.strike(host, "no-trunk", now);
			if (ban !== undefined) return ban;
		}
		return undefined;
	};

	it("20 points in a minute are one; it expires, and the next is twice as long, up to an hour", () => {
		const guard = defence();
		let now = 0;
		const lengths: number[] = [];
		for (let i = 0; i < 8; i++) {
			const ban = offend(guard, now);
			lengths.push((ban?.ms ?? 0) / 60_000);
			expect(ban).toMatchObject({ source: STRANGER, strike: "no-trunk" });
			expect(guard.admit(message(), STRANGER, now + (ban?.ms ?? 0) - 1).verdict).toBe("banned");
			now += ban?.ms ?? 0;
			expect(guard.admit(message(), STRANGER, now).verdict).toBe("pass");
		}
		expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
		expect(guard.counts(now)).toMatchObject({ bans: 8, banned: 0 });
		expect(offend(guard, now + 3 * 3_600_000)?.ms).toBe(60_000);
	});

	it("a few mistakes are none, nor are many over a long time", () => {
		const guard = defence();
		for (let minute = 0; minute < 60; minute++)
			for (let i = 0; i < 9; i++) expect(guard.strike(STRANGER, "no-trunk", minute * 61_000)).toBeUndefined();
	});

	it("an address on a trunk's list, or with calls, is never banned, whoever forges it", () => {
		const guard = defence();
		expect(offend(guard, 0, CARRIER)).toBeUndefined();
		guard.trust("203.0.113.1", 0);
		expect(offend(guard, 0, "203.0.113.1")).toBeUndefined();
		for (let i = 0; i < 100_000; i++) guard.admit(message("friendly-scanner"), CARRIER, i / 100);
		expect(guard.isBanned(CARRIER, 1_000)).toBe(false);
	});

	it("an address that comes onto a trunk's list during its ban is heard at once", () => {
		const listed = new Set<string>();
		const guard = defence({ isProtected: (host) => listed.has(host) });
		offend(guard, 0);
		expect(guard.admit(message(), STRANGER, 1).verdict).toBe("banned");
		listed.add(STRANGER);
		expect(guard.admit(message(), STRANGER, 2).verdict).toBe("pass");
	});

	it("a call of ours to a banned source lifts the ban", () => {
		const guard = defence();
		offend(guard, 0);
		expect(guard.isBanned(STRANGER, 1)).toBe(true);
		guard.trust(STRANGER, 1);
		expect(guard.admit(message(), STRANGER, 2).verdict).toBe("pass");
	});

	it("a flood bans itself: 2,000 datagrams a second are silence after a second", () => {
		const guard = defence();
		const verdicts = Array.from({ length: 4_000 }, (_, i) => guard.admit(message(), STRANGER, i / 2).verdict);
		expect(verdicts.slice(-2_000).every((verdict) => verdict === "banned")).toBe(true);
	});

	it("IPv6 by /64", () => {
		const guard = defence();
		for (let i = 0; i < 20; i++) guard.strike(`2001:db8:1:2::${i.toString(16)}`, "no-trunk", 0);
		expect(guard.isBanned("2001:db8:1:2:ffff::1", 1)).toBe(true);
		expect(guard.isBanned("2001:db8:1:3::1", 1)).toBe(false);
	});
});

describe("unknown sources", () => {
	it("are dropped silently when the node has lists only; responses, peers and listed addresses pass", () => {
		const guard = defence({ dropsUnknown: () => true });
		expect(guard.admit(message(), STRANGER, 0).verdict).toBe("unknown");
		expect(guard.admit(message(), CARRIER, 0).verdict).toBe("pass");
		expect(guard.admit(utf8Encode("SIP/2.0 200 OK\r\n\r\n"), STRANGER, 0).verdict).toBe("pass");
		guard.trust(STRANGER, 0);
		expect(guard.admit(message(), STRANGER, 0).verdict).toBe("pass");
		expect(guard.counts(0)["dropped-unknown"]).toBe(1);
	});
});

describe("memory", () => {
	it("a million forged sources fill tables of a fixed size, and push out nobody who has calls", () => {
		const guard = defence({ limits: { tableSize: 1_000 } });
		guard.trust("203.0.113.1", 0);
		const bytes = message();
		for (let i = 0; i < 1_000_000; i++) guard.admit(bytes, `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, i / 1_000);
		expect(guard.counts(1_000)).toMatchObject({ strangers: 1_000, peers: 1 });
		expect(guard.isPeer("203.0.113.1", 1_000)).toBe(true);
	});

	it("a peer that has had no call for long is a stranger again, however much it sends: it could try passwords for ever", () => {
		const guard = defence();
		guard.trust(STRANGER, 0);
		for (let at = 60_000; at < 600_000; at += 60_000) expect(guard.admit(message(), STRANGER, at).verdict).toBe("pass");
		expect([guard.isPeer(STRANGER, 599_999), guard.isPeer(STRANGER, 600_000)]).toEqual([true, false]);
		for (let i = 0; i < 10; i++) guard.strike(STRANGER, "bad-credentials", 600_000);
		expect(guard.admit(message(), STRANGER, 600_001).verdict).toBe("banned");
	});

	it("each call makes it a peer for as long again", () => {
		const guard = defence();
		guard.trust(STRANGER, 0);
		guard.trust(STRANGER, 500_000);
		expect([guard.isPeer(STRANGER, 1_099_999), guard.isPeer(STRANGER, 1_100_000)]).toEqual([true, false]);
	});
});

it("what one source is", () => {
	expect(sourceOf("192.0.2.1")).toBe("192.0.2.1");
	expect(sourceOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
	expect(sourceOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
	expect(sourceOf("2001:0DB8:0000:0000:1:2:3:4")).toBe("2001:db8:0:0::/64");
	expect(sourceOf("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
	expect(sourceOf("::1")).toBe("0:0:0:0::/64");
	expect(sourceOf("not:an:address")).toBe("not:an:address");
});
