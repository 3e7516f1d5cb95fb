import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallTrace, TraceMessage } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { parseIpv6 } from "./ip.ts";
import { checksum } from "./packet.ts";
import { writePcapng } from "./pcapng.ts";
import { readPcapng } from "@trunkline/testkit";

const AT = 1_700_000_000_123.456;
const message = (over: Partial<TraceMessage> = {}): TraceMessage => {
	const text = over.text ?? "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n";
	return {
		at: AT,
		direction: "received",
		transport: "UDP",
		local: { host: "192.0.2.1", port: 5060 },
		remote: { host: "198.51.100.7", port: 5090 },
		text,
		bytes: text.length,
		...over,
	};
};
const trace = (...messages: TraceMessage[]): CallTrace => ({
	version: 1,
	callId: "SCL_1",
	projectId: "p",
	region: "r",
	messages,
	dropped: 0,
	numbersMasked: false,
	expiresAtSeconds: 0,
});

describe("writePcapng", () => {
	it("has every message with its nanoseconds, addresses, ports and a comment", () => {
		const file = readPcapng(writePcapng([trace(message(), message({ at: AT + 1.5, direction: "sent" }))], "a call – with an ellipsis …"));
		expect(file).toMatchObject({ comment: "a call – with an ellipsis …", application: "Trunkline", linkType: 101, resolution: 9 });
		expect(file.packets.map(({ nanoseconds, source, destination, comment }) => ({ nanoseconds, source, destination, comment }))).toEqual([
			{ nanoseconds: 1_700_000_000_123_456_000n, source: "198.51.100.7:5090", destination: "192.0.2.1:5060", comment: "SCL_1, received" },
			{ nanoseconds: 1_700_000_000_124_956_000n, source: "192.0.2.1:5060", destination: "198.51.100.7:5090", comment: "SCL_1, sent" },
		]);
		expect(file.packets[0]?.payload).toBe(message().text);
	});

	it("has every byte of what was no text", () => {
		const text = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
		expect(readPcapng(writePcapng([trace(message({ text }))], "")).packets[0]?.payload).toBe(text);
	});

	it("IPv6, with an odd number of bytes", () => {
		const six = message({ local: { host: "2001:db8::1", port: 5060 }, remote: { host: "2001:db8:0:1::ff", port: 5061 }, text: "odd" });
		const [packet] = readPcapng(writePcapng([trace(six)], "")).packets;
		expect(packet).toMatchObject({ version: 6, source: "[20010db8000000010000 0000000000ff]:5061".replace(" ", ""), payload: "odd" });
	});

	it("TCP goes on where it was, each way, and acknowledges the other", () => {
		const tcp = (over: Partial<TraceMessage>) => message({ transport: "TCP", ...over });
		const file = readPcapng(
			writePcapng([trace(tcp({ text: "12345" }), tcp({ at: AT + 1, direction: "sent", text: "abc" }), tcp({ at: AT + 2, text: "6" }))], ""),
		);
		expect(file.packets.map(({ tcp: segment }) => segment)).toEqual([
			{ sequence: 1, acknowledgement: 1 },
			{ sequence: 1, acknowledgement: 6 },
			{ sequence: 6, acknowledgement: 4 },
		]);
	});

	it("TLS is TCP that can be read, and says so", () => {
		const [packet] = readPcapng(writePcapng([trace(message({ transport: "TLS", local: { host: "192.0.2.1", port: 5061 } }))], "")).packets;
		expect(packet?.destination).toBe("192.0.2.1:5060");
		expect(packet?.comment).toBe("SCL_1, received; over TLS, written decrypted as TCP (port 5061 as 5060)");
		expect(packet?.payload).toBe(message().text);
	});

	it("says when not all of a message was kept", () => {
		expect(readPcapng(writePcapng([trace(message({ text: "123", bytes: 9000 }))], "")).packets[0]?.comment).toBe(
			"SCL_1, received; 3 of 9000 bytes were kept",
		);
	});

	it("puts the messages of two calls into one order", () => {
		const other = { ...trace(message({ at: AT - 1 })), callId: "SCL_2" };
		expect(readPcapng(writePcapng([trace(message()), other], "")).packets.map(({ comment }) => comment)).toEqual([
			"SCL_2, received",
			"SCL_1, received",
		]);
	});

	it("tcpdump reads it, and finds all checksums right", () => {
		const directory = mkdtempSync(join(tmpdir(), "trunkline-pcapng-"));
		const file = join(directory, "all.pcapng");
		const six = { local: { host: "2001:db8::1", port: 5060 }, remote: { host: "2001:db8::2", port: 5060 } };
		const kinds = (["UDP", "TCP", "TLS"] as const).flatMap((transport) => [message({ transport }), message({ transport, ...six })]);
		writeFileSync(file, writePcapng([trace(...kinds, message({ text: "x".repeat(60_000), transport: "TCP" }))], "for tcpdump"));
		try {
			const shown = execFileSync("tcpdump", ["-r", file, "-n", "-vv"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
			expect(shown.match(/udp sum ok|\(correct\)/g)).toHaveLength(7);
			expect(shown).not.toMatch(/bad|incorrect|truncated/);
			expect(shown).toContain("2001:db8::2.5060 > 2001:db8::1.5060");
		} catch (error) {
			// A machine without it has the reader of these tests.
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		} finally {
			rmSync(directory, { recursive: true });
		}
	});
});

describe("addresses and checksums", () => {
	it.each([
		["::", "00000000000000000000000000000000"],
		["::1", "00000000000000000000000000000001"],
		["2001:db8::8a2e:370:7334", "20010db80000000000008a2e03707334"],
		["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
		["fe80::1%eth0", "fe800000000000000000000000000001"],
		["192.0.2.1", "00000000000000000000ffffc0000201"],
		["no address", "00000000000000000000000000000000"],
		["1:2:3:4:5:6:7:8:9:a", "00000000000000000000000000000000"],
	])("parseIpv6(%s)", (text, hex) => {
		expect(Buffer.from(parseIpv6(text)).toString("hex")).toBe(hex);
	});

	it("RFC 1071 §3: the example", () => {
		expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff);
	});
});
