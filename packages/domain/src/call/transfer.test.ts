import { describe, expect, test } from "vitest";
import { errorForTransfer, transferCommand, type TransferRequest } from "./transfer.ts";

const request = (over: Partial<TransferRequest> = {}): TransferRequest => ({
	roomName: "lobby",
	participantIdentity: "sip_1",
	transferTo: "tel:+15550100",
	playDialtone: false,
	headers: {},
	...over,
});

test.each([
	["tel:+15550100", "tel:+15550100"],
	["<tel:+15550100>", "tel:+15550100"],
	["sip:+15550100@a.example", "<sip:+15550100@a.example>"],
	["<sips:anna@a.example;transport=tls>", "<sips:anna@a.example;transport=tls>"],
	["sip:a.example", "<sip:a.example>"],
])("%s is sent as %s", (transferTo, sent) => {
	const command = transferCommand(request({ transferTo }), "STR_1");
	expect(command).toEqual({ transferId: "STR_1", transferTo: sent, playDialtone: false, headers: {}, ringingTimeoutMs: 30_000 });
});

test.each<[Partial<TransferRequest>, string]>([
	[{ transferTo: "" }, "missing transfer to"],
	[{ transferTo: "+15550100" }, "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)"],
	[{ transferTo: "http://a" }, "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)"],
	[{ transferTo: "sip:" }, 'transfer_to must be a URI alone, without name, spaces or < > " inside'],
	[{ transferTo: "sip:a@b>;x=<c" }, 'transfer_to must be a URI alone, without name, spaces or < > " inside'],
	[{ transferTo: "sip:a@b\r\nX: y" }, "transfer_to must not contain control characters"],
	[{ headers: { From: "x" } }, "invalid header name: header name From not supported"],
	[{ ringingTimeoutMs: -1 }, "ringing_timeout must not be negative"],
	[{ ringingTimeoutMs: 600_001 }, "ringing_timeout must not exceed 600s"],
])("%j is refused", (over, message) => {
	expect(() => transferCommand(request(over), "STR_1")).toThrow(expect.objectContaining({ code: "invalid_argument", message }));
});

describe("a failed transfer", () => {
	test("carries the SIP status", () => {
		const error = errorForTransfer({ status: "failed", reason: "rejected", sipStatus: { code: 603, reason: "Declined" } });
		expect([error.code, error.message, error.meta]).toEqual([
			"permission_denied",
			"twirp error unknown: call transfer failed: sip status: 603: Declined",
			{ sip_status_code: "603", sip_status: "Declined" },
		]);
	});
	test.each([
		["ringing-timeout", "deadline_exceeded", "the target did not answer in time"],
		["canceled", "canceled", "it was canceled"],
		["subscription-terminated", "failed_precondition", "the telephone side stopped telling how it goes"],
	] as const)("%s without one is %s", (reason, code, words) => {
		const error = errorForTransfer({ status: "failed", reason });
		expect([error.code, error.message]).toEqual([code, `twirp error unknown: call transfer failed: ${words}`]);
	});
});
