import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { SipTransport } from "../endpoint-types.ts";
import { isIpv4, isIpv6 } from "../grammar/host.ts";
import type { DnsAnswer } from "./dns.ts";
import { Resolution } from "./resolution.ts";

const name = fc.constantFrom("a.test", "b.test", "_sip._udp.a.test", "_sips._tcp.a.test", "192.0.2.1", ".", "", "x y", "a".repeat(300));
const number = fc.constantFrom(-1, 0, 1, 5060, 65_535, 70_000, Number.NaN);
const answer: fc.Arbitrary<DnsAnswer> = fc.record(
	{
		ttl: number,
		naptr: fc.array(
			fc.record({
				order: number,
				preference: number,
				flags: fc.constantFrom("s", "S", "u", ""),
				service: fc.constantFrom("SIP+D2U", "sip+d2t", "SIPS+D2T", "x"),
				replacement: name,
			}),
			{ maxLength: 30 },
		),
		srv: fc.array(fc.record({ priority: number, weight: number, port: number, name }), { maxLength: 30 }),
		addresses: fc.array(fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1", "nonsense", ""), { maxLength: 20 }),
		failure: fc.constantFrom("ESERVFAIL", "ETIMEOUT"),
	},
	{ requiredKeys: ["ttl"] },
);

it("whatever the name service says: an end, after a bounded number of questions, with targets that are allowed", () => {
	const transports: SipTransport[] = ["UDP", "TCP", "TLS"];
	fc.assert(
		fc.property(
			fc.array(answer, { minLength: 1, maxLength: 8 }),
			fc.constantFrom<SipTransport | undefined>(undefined, "UDP", "TCP", "TLS"),
			fc.boolean(),
			(answers, transport, secure) => {
				const wanted = secure ? "TLS" : transport;
				const resolution = new Resolution(
					{ host: "a.test", secure, ...(wanted === undefined ? {} : { transport: wanted }) },
					{ transports, families: [4, 6], random: () => 0.5 },
					0,
				);
				let asked = 0;
				for (let output = resolution.pollOutput(); ; output = resolution.pollOutput()) {
					if (output === undefined) throw new Error("neither a question nor an end");
					if (output.kind === "failed") break;
					if (output.kind === "resolved") {
						expect(output.targets.length).toBeGreaterThan(0);
						for (const target of output.targets) {
							expect(wanted ?? target.transport).toBe(target.transport);
							expect(isIpv4(target.host) || isIpv6(target.host)).toBe(true);
							expect(target.port > 0 && target.port < 65_536).toBe(true);
						}
						break;
					}
					const reply = answers[asked++ % answers.length];
					if (reply !== undefined) resolution.handle({ kind: "answer", question: output.question, answer: reply }, 0);
					expect(asked).toBeLessThan(100);
				}
			},
		),
		{ numRuns: 2_000 },
	);
});
