import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones } from "../e2e/tones.ts";
import { Baresip, expectTalk } from "./baresip.ts";
import { installed } from "./programs.ts";

const there = installed("baresip");
/** of SIPMediaEncryption */
const REQUIRE = 2;

/** Another DTLS (OpenSSL's) and another ICE than ours. */
describe.skipIf(!there)("baresip with DTLS-SRTP and ICE (needs baresip)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-baresip-dtls-"));
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

	async function api(path: string, body?: unknown): Promise<{ media?: { srtp?: string } }> {
		const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
		token.addSIPGrant({ admin: true });
		const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
		const request = body === undefined ? { headers } : { headers, method: "PUT", body: JSON.stringify(body) };
		const response = await fetch(`${bed.local.url}${path}`, request);
		if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
		return (await response.json()) as { media?: { srtp?: string } };
	}

	let next = 15_550_320;
	it.each([
		["DTLS-SRTP", { dtls: true }, REQUIRE],
		["ICE", { ice: true }, 0],
		["ICE and DTLS-SRTP", { ice: true, dtls: true }, REQUIRE],
	] as const)("calls in with %s: both hear each other", async (_name, options, mediaEncryption) => {
		const number = `+${++next}`;
		const { sipTrunkId } = await bed.sip.createSipInboundTrunk(number, [number], { mediaEncryption });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: number, pin: "" }, { name: number, trunkIds: [sipTrunkId] });
		const agent = await bed.participant(number, "agent");
		await agent.speak(1_000);
		const phone = await baresip(options);
		phone.do("dial", bed.uri(number));
		await expectTalk(agent, phone, "sip_baresip");
		const [participant] = (await bed.rooms.listParticipants(number)).filter(({ identity }) => identity === "sip_baresip");
		const { media } = await api(`/v1/calls/${participant?.attributes["sip.callID"] ?? ""}`);
		if (mediaEncryption === REQUIRE) expect(media?.srtp).toMatch(/^DTLS-SRTP A/);
		else expect(media?.srtp).toBeUndefined();
		phone.do("hangup");
		await until(() => phone.has("CALL_CLOSED"), "baresip to end the call");
		await phone.stop();
		expectTones(phone.heard().subarray(-8_000), 8_000, [1_000], [440]);
	});

	it.each([
		["DTLS-SRTP", { dtls: true }],
		["ICE and DTLS-SRTP", { ice: true, dtls: true }],
	] as const)("is called with %s: both hear each other", async (_name, options) => {
		const phone = await baresip({ answers: true, ...options });
		const room = `out-dtls-${++next}`;
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const trunk = await bed.sip.createSipOutboundTrunk("baresip", phone.uri.slice("sip:baresip@".length), ["+15550100"], {
			transport: 0,
			mediaEncryption: REQUIRE,
		});
		await api(`/v1/trunks/${trunk.sipTrunkId}/settings`, { srtp: { keying: "dtls" } });
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "baresip", room, { participantIdentity: "b", waitUntilAnswered: true });
		await expectTalk(agent, phone, "b");
		await bed.rooms.removeParticipant(room, "b");
		await until(() => phone.has("CALL_CLOSED"), "baresip to end the call");
		await phone.stop();
		expectTones(phone.heard().subarray(-8_000), 8_000, [1_000], [440]);
	});
});
