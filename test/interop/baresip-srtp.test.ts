import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones } from "../e2e/tones.ts";
import { Baresip, expectTalk } from "./baresip.ts";
import { installed } from "./programs.ts";

const there = installed("baresip");
/** of SIPMediaEncryption */
const REQUIRE = 2;
type Media = NonNullable<CreateSipInboundTrunkOptions["media"]>;

/** Another SRTP, another SDP and another G.722 than ours. */
describe.skipIf(!there)("baresip with SRTP and G.722 (needs baresip)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-baresip-srtp-"));
	const phones: Baresip[] = [];

	beforeAll(async () => {
		bed = await Testbed.start();
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

	async function baresip(options: Parameters<typeof Baresip.start>[1]): Promise<Baresip> {
		const phone = await Baresip.start(join(directory, `phone-${Date.now()}`), options);
		phones.push(phone);
		return phone;
	}

	it("is called where the trunk requires encryption: both hear each other", async () => {
		const phone = await baresip({ answers: true, srtp: true });
		const agent = await bed.participant("out-srtp", "agent");
		await agent.speak(1_000);
		const trunk = await bed.sip.createSipOutboundTrunk("baresip", phone.uri.slice("sip:baresip@".length), ["+15550100"], {
			transport: 0,
			mediaEncryption: REQUIRE,
		});
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "baresip", "out-srtp", { participantIdentity: "b", waitUntilAnswered: true });
		await expectTalk(agent, phone, "b");
		await bed.rooms.removeParticipant("out-srtp", "b");
		await until(() => phone.has("CALL_CLOSED"), "baresip to end the call");
		await phone.stop();
		expectTones(phone.heard().subarray(-8_000), 8_000, [1_000], [440]);
	});

	it("calls in with G.722 and SRTP: both hear each other", async () => {
		const number = "+15550310";
		const media = { encryption: REQUIRE, onlyListedCodecs: true, codecs: [{ name: "G722", rate: 8_000 }] } as Media;
		const { sipTrunkId } = await bed.sip.createSipInboundTrunk(number, [number], { media });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: number, pin: "" }, { name: number, trunkIds: [sipTrunkId] });
		const agent = await bed.participant(number, "agent");
		await agent.speak(1_000);
		const phone = await baresip({ srtp: true, codec: "G722" });
		phone.do("dial", bed.uri(number));
		await expectTalk(agent, phone, "sip_baresip");
		phone.do("hangup");
		await until(() => phone.has("CALL_CLOSED"), "baresip to end the call");
		await phone.stop();
		// it records at the rate of the codec
		expectTones(phone.heard().subarray(-16_000), 16_000, [1_000], [440]);
	});

	it("without SRTP it gets 488 where the trunk requires encryption", async () => {
		const number = "+15550311";
		const { sipTrunkId } = await bed.sip.createSipInboundTrunk(number, [number], { mediaEncryption: REQUIRE });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: number, pin: "" }, { name: number, trunkIds: [sipTrunkId] });
		const phone = await baresip({});
		phone.do("dial", bed.uri(number));
		await until(() => phone.has("CALL_CLOSED"), "baresip to be refused");
		expect(phone.events.find(({ type }) => type === "CALL_CLOSED")?.param).toContain("488");
		expect(phone.has("CALL_ESTABLISHED")).toBe(false);
	});
});
