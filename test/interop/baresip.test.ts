import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { Baresip, type BaresipOptions, expectTalk } from "./baresip.ts";
import { installed } from "./programs.ts";

const there = installed("baresip");
if (!there) process.stderr.write("Calls to and from baresip are not tried: there is no baresip (Debian: baresip-core)\n");

describe.skipIf(!there)("baresip (needs baresip)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-baresip-"));
	const phones: Baresip[] = [];

	beforeAll(async () => {
		const authority = await TestAuthority.create();
		const { cert, key } = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
		for (const [name, text] of Object.entries({ "ca.pem": authority.cert, "node.crt.pem": cert, "node.key.pem": key }))
			writeFileSync(join(directory, name), text);
		bed = await Testbed.start({
			SIP_TLS_PORT: "0",
			SIP_TLS_CERT_FILE: join(directory, "node.crt.pem"),
			SIP_TLS_KEY_FILE: join(directory, "node.key.pem"),
			SIP_TLS_CA_FILE: join(directory, "ca.pem"),
		});
	});
	afterEach(async () => {
		for (const phone of phones.splice(0)) await phone.stop();
		await bed.clear();
		await bed.idle();
	});
	afterAll(async () => {
		await bed.close();
		rmSync(directory, { recursive: true, force: true });
	});

	async function baresip(options: BaresipOptions = {}): Promise<Baresip> {
		const phone = await Baresip.start(join(directory, `phone-${phones.length}-${Date.now()}`), {
			ca: join(directory, "ca.pem"),
			...options,
		});
		phones.push(phone);
		return phone;
	}

	/** After the call, when it has finished its recording: it heard the room's 1,000 Hz to the end. */
	async function expectHeard(phone: Baresip): Promise<void> {
		await until(() => phone.has("CALL_CLOSED"), "baresip to end the call");
		await phone.stop();
		expectTones(phone.heard().subarray(-8_000), 8_000, [1_000], [440]);
	}

	it.each([
		["UDP, A-law", "+15550300", {}, (bed: Testbed) => bed.uri("+15550300")],
		["TCP, µ-law", "+15550301", { transport: "tcp", codec: "pcmu" }, (bed: Testbed) => `${bed.uri("+15550301")};transport=tcp`],
		[
			"TLS and SRTP",
			"+15550302",
			{ transport: "tls", srtp: true },
			(bed: Testbed) => `sip:+15550302@127.0.0.1:${bed.local.sipTlsPort};transport=tls`,
		],
	] as const)("calls in over %s: both hear each other", async (_, number, options, uri) => {
		const encryption = { mediaEncryption: "srtp" in options ? 2 : 0 } as const;
		const { sipTrunkId } = await bed.sip.createSipInboundTrunk(number, [number], encryption);
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: number, pin: "" }, { name: number, trunkIds: [sipTrunkId] });
		const agent = await bed.participant(number, "agent");
		await agent.speak(1_000);
		const phone = await baresip(options);
		phone.do("dial", uri(bed));
		await expectTalk(agent, phone, "sip_baresip");
		phone.do("hangup");
		await until(() => agent.left.includes("sip_baresip"), "baresip to leave");
		await expectHeard(phone);
	});

	it("holds and resumes: silence for the room meanwhile, and the call goes on", async () => {
		await bed.inbound("+15550303", "hold");
		const agent = await bed.participant("hold", "agent");
		await agent.speak(1_000);
		const phone = await baresip();
		phone.do("dial", bed.uri("+15550303"));
		await expectTalk(agent, phone, "sip_baresip");
		phone.do("hold");
		await settle();
		agent.take("sip_baresip");
		await settle(2_500);
		expectTones(agent.take("sip_baresip"), 48_000, [], [440]);
		phone.do("resume");
		await expectTalk(agent, phone, "sip_baresip");
		phone.do("hangup");
		await until(() => agent.left.includes("sip_baresip"), "baresip to leave");
	});

	it("is called, both hear each other, and the room hangs up", async () => {
		const phone = await baresip({ answers: true });
		const agent = await bed.participant("out", "agent");
		await agent.speak(1_000);
		const trunk = await bed.sip.createSipOutboundTrunk("baresip", phone.uri.slice("sip:baresip@".length), ["+15550100"], { transport: 0 });
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "baresip", "out", { participantIdentity: "b", waitUntilAnswered: true });
		await expectTalk(agent, phone, "b");
		await bed.rooms.removeParticipant("out", "b");
		await expectHeard(phone);
	});

	it("is transferred with REFER to another baresip, which it calls itself", async () => {
		const [first, second] = [await baresip({ answers: true }), await baresip({ answers: true })];
		const trunk = await bed.sip.createSipOutboundTrunk("baresip", first.uri.slice("sip:baresip@".length), ["+15550100"], { transport: 0 });
		const agent = await bed.participant("refer", "agent");
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "baresip", "refer", { participantIdentity: "b", waitUntilAnswered: true });
		await bed.sip.transferSipParticipant("refer", "b", second.uri);
		await until(() => agent.left.includes("b"), "the transferred telephone to leave");
		expect(second.has("CALL_ESTABLISHED")).toBe(true);
	});
});
