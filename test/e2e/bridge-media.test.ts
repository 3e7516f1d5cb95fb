// Two telephones that are joined in place, whose signalling and audio have nothing in common.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingCall, PhoneOptions } from "@trunkline/phone";
import { TestAuthority } from "@trunkline/testkit/certificates";
import type { CreateSipInboundTrunkOptions } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const CALLER_HZ = 440;
const TARGET_HZ = 620;
/** of SIPMediaEncryption */
const REQUIRE = 2;
/** of SIPTransport */
const [UDP, TLS] = [1, 3] as const;
type Media = NonNullable<CreateSipInboundTrunkOptions["media"]>;

let bed: Testbed;
let directory: string;
let tls: NonNullable<PhoneOptions["tls"]>;

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "trunkline-e2e-bridge-"));
	const authority = await TestAuthority.create();
	const server = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
	tls = { ...server, ca: authority.cert };
	const files = { "ca.pem": authority.cert, "node.crt.pem": server.cert, "node.key.pem": server.key };
	for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
	bed = await Testbed.start({
		SIP_TLS_PORT: "0",
		SIP_TLS_CERT_FILE: join(directory, "node.crt.pem"),
		SIP_TLS_KEY_FILE: join(directory, "node.key.pem"),
		SIP_TLS_CA_FILE: join(directory, "ca.pem"),
	});
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(async () => {
	await bed.close();
	rmSync(directory, { recursive: true, force: true });
});

let next = 15_550_900;

interface Side {
	transport: "UDP" | "TLS";
	codec: "PCMU" | "PCMA" | "G722";
	srtp: boolean;
}

const PLAIN: Side = { transport: "UDP", codec: "PCMU", srtp: false };

const phoneOf = ({ transport, codec, srtp }: Side): PhoneOptions => ({
	codecs: [codec],
	...(srtp ? { srtp: { required: true } } : {}),
	...(transport === "TLS" ? { transport, tls } : {}),
});

const mediaOf = ({ codec, srtp }: Side): Media =>
	({ ...(srtp ? { encryption: REQUIRE } : {}), codecs: [{ name: codec, rate: 8_000 }] }) as unknown as Media;

/** A caller who is transferred to a target by the node itself. */
async function joined(caller: Side, target: Side) {
	const number = `+${++next}`;
	const room = `bridge-media-${next}`;
	const called = await bed.phone({ ...phoneOf(target), username: "+15550142" });
	const calls: IncomingCall[] = [];
	called.onIncoming((call) => {
		calls.push(call);
		call.tone(TARGET_HZ, -20);
		void call.answer();
	});
	const out = await bed.sip.createSipOutboundTrunk("out", `localhost:${called.port}`, ["+15550100"], {
		transport: target.transport === "TLS" ? TLS : UDP,
		media: mediaOf(target),
	});
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { media: mediaOf(caller) });
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: number, trunkIds: [trunk.sipTrunkId] });
	await bed.settings(trunk.sipTrunkId, { transfer: { bridgeTrunkId: out.sipTrunkId } });
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone({ ...phoneOf(caller), username: "+15559999" });
	const uri = caller.transport === "TLS" ? `sip:${number}@127.0.0.1:${bed.local.sipTlsPort};transport=tls` : bed.uri(number);
	const call = await phone.call(uri, { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active"), "the call to be active");
	await bed.sip.transferSipParticipant(room, "sip_+15559999", "tel:+15550142");
	const [other] = calls;
	if (other === undefined) throw new Error("the target got no call");
	await until(() => other.state === "answered", "the target to be connected");
	return { call, other };
}

describe("two telephones that are joined", () => {
	it.each<[string, Side, Side]>([
		["SRTP over TLS, and in the clear", { transport: "TLS", codec: "PCMU", srtp: true }, PLAIN],
		["in the clear, and SRTP over TLS", PLAIN, { transport: "TLS", codec: "PCMA", srtp: true }],
		["SRTP on both sides, of either law", { ...PLAIN, srtp: true }, { transport: "UDP", codec: "PCMA", srtp: true }],
		["G.722 and PCMU", { ...PLAIN, codec: "G722" }, PLAIN],
		["PCMA and G.722 with SRTP", { ...PLAIN, codec: "PCMA" }, { transport: "UDP", codec: "G722", srtp: true }],
		["G.722 on both sides", { ...PLAIN, codec: "G722" }, { ...PLAIN, codec: "G722" }],
	])("%s: both hear each other, and digits go through", async (_, caller, target) => {
		const { call, other } = await joined(caller, target);
		const agreed = [call, other].map(({ negotiated }) => [negotiated?.codec.name, negotiated?.srtp !== undefined]);
		expect(agreed).toEqual([
			[caller.codec, caller.srtp],
			[target.codec, target.srtp],
		]);
		await settle(300);
		call.received.clear();
		other.received.clear();
		await settle(900);
		expectTones(call.received.pcm(), 8_000, [TARGET_HZ], [CALLER_HZ]);
		expectTones(other.received.pcm(), 8_000, [CALLER_HZ], [TARGET_HZ]);
		call.sendDtmf("42#");
		expect(await other.waitForDigits(3)).toBe("42#");
		other.hangup();
		expect(await call.ended()).toMatchObject({ by: "remote", answered: true });
	});
});
