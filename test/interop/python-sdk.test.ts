// LiveKit's Python client, unmodified, as it comes from the Python package index.
import { join } from "node:path";
import { pythonMissing, pythonOf } from "@trunkline/testkit/python";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Testbed } from "../e2e/testbed.ts";
import { run } from "./programs.ts";

const PACKAGES = ["livekit-api==1.2.2"];

const missing = await pythonMissing("livekit-api", PACKAGES);
if (missing !== undefined) process.stderr.write(`The API is not driven with LiveKit's Python client: ${missing}\n`);

describe.skipIf(missing !== undefined)("livekit-api from Python (needs python3 with pip)", () => {
	let bed: Testbed;
	beforeAll(async () => {
		bed = await Testbed.start();
	});
	afterAll(() => bed.close());

	test("manages trunks and rules, dials, and understands errors", async () => {
		const phone = await bed.phone();
		phone.onIncoming((incoming) => void incoming.answer());
		const script = join(import.meta.dirname, "python/sip_api.py");
		const { url, apiKey, apiSecret } = bed.access;
		const { code, output } = await run(
			pythonOf("livekit-api", PACKAGES),
			[script, url, apiKey, apiSecret, "python-room", `127.0.0.1:${phone.port}`],
			50_000,
		);
		expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
		const lines = output
			.trim()
			.split("\n")
			// the client warns of short secrets
			.filter((line) => line.startsWith("{"))
			.map((line) => JSON.parse(line) as Record<string, unknown>);
		const steps = new Map(lines.map(({ step, ...seen }) => [step, seen]));
		const trunk = { sip_trunk_id: expect.stringMatching(/^ST_/) };
		expect(steps.get("inbound")).toMatchObject({ ...trunk, name: "in", numbers: ["+15550700"], auth_username: "u" });
		expect(output).not.toContain("hunter2");
		expect(steps.get("inbound fields")).toMatchObject({ name: "renamed", numbers: ["+15550700", "+15550701"] });
		expect(steps.get("inbound replaced")).toMatchObject({ ...trunk, numbers: ["+15550702"] });
		expect(steps.get("inbound list")).toEqual({ items: [steps.get("inbound replaced")] });
		expect(steps.get("inbound conflict")).toMatchObject({
			code: "invalid_argument",
			status: 400,
			msg: expect.stringContaining("Conflicting inbound SIP Trunks"),
		});
		expect(steps.get("rule")).toMatchObject({ name: "rule", rule: { dispatch_rule_individual: { room_prefix: "call" } } });
		expect(steps.get("rule fields")).toMatchObject({ name: "other", attributes: { a: "b" } });
		expect(steps.get("rule list")).toEqual({ items: [steps.get("rule fields")] });
		expect(steps.get("rule deleted")).toEqual(steps.get("rule fields"));
		expect(steps.get("outbound fields")).toMatchObject({ metadata: "m", address: `127.0.0.1:${phone.port}` });
		expect(steps.get("call")).toEqual({
			participant_id: expect.stringMatching(/^PA_/),
			participant_identity: "callee",
			room_name: "python-room",
			sip_call_id: expect.stringMatching(/^SCL_/),
		});
		expect(steps.get("call without trunk")).toMatchObject({ code: "not_found", status: 404 });
		expect(steps.get("transfer to no URI")).toMatchObject({
			code: "invalid_argument",
			msg: "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)",
		});
		expect(steps.get("trunk deleted")).toMatchObject({ sip_trunk_id: steps.get("outbound")?.["sip_trunk_id"], kind: "TRUNK_OUTBOUND" });
	});
});
