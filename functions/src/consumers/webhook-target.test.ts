import { describe, expect, it } from "vitest";
import { addressProblem, targetProblem } from "./webhook-target.ts";

const PUBLIC = { loopback: false, private: false };
const LAPTOP = { loopback: true, private: false };
const INTRANET = { loopback: false, private: true };

describe("targetProblem", () => {
	it.each([
		["https://example.com/hook", true, true, true],
		["https://example.com:8443/", true, true, true],
		["https://8.8.8.8/", true, true, true],
		["https://[2606:4700::1111]/", true, true, true],
		["http://example.com/", false, false, true],
		["http://8.8.8.8/", false, false, false],
		["http://localhost:3000/", false, true, false],
		["http://127.0.0.1:3000/", false, true, false],
		["http://127.1/", false, true, false],
		["http://0x7f000001/", false, true, false],
		["http://[::1]:3000/", false, true, false],
		["https://127.0.0.1/", false, true, false],
		["https://10.1.2.3/", false, false, true],
		["http://192.168.1.1/", false, false, true],
		["https://[fd00::1]/", false, false, true],
		["https://169.254.169.254/latest/meta-data", false, false, false],
		["https://[fe80::1]/", false, false, false],
		["https://[::ffff:169.254.169.254]/", false, false, false],
		["https://0.0.0.0/", false, false, false],
		["https://100.64.0.1/", false, false, false],
		["https://224.0.0.1/", false, false, false],
		["https://255.255.255.255/", false, false, false],
		["https://[2002:a00:1::]/", false, false, false],
		["https://[64:ff9b::a00:1]/", false, false, false],
		["ftp://example.com/", false, false, false],
		["https://user@example.com/", false, false, false],
	])("%s: public %s, laptop %s, intranet %s", (url, open, laptop, intranet) => {
		const may = [PUBLIC, LAPTOP, INTRANET].map((policy) => targetProblem(new URL(url), policy) === undefined);
		expect(may).toEqual([open, laptop, intranet]);
	});
});

describe("addressProblem", () => {
	it("names the address and what it is", () => {
		expect(addressProblem("10.0.0.1", PUBLIC)).toBe("10.0.0.1 is in a private network, which webhooks may not reach");
		expect(addressProblem("::1", PUBLIC)).toBe("::1 is this machine itself, which webhooks may not reach");
		expect(addressProblem("169.254.169.254", INTRANET)).toBe("169.254.169.254 is no public address, and webhooks may not reach it");
		expect(addressProblem("172.32.0.1", PUBLIC)).toBeUndefined();
	});
});
