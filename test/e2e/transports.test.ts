import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingCall, Phone, PhoneCall } from "@trunkline/phone";
import { type Certificate, TestAuthority } from "@trunkline/testkit/certificates";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

/** livekit.SIPTransport */
const TRANSPORT = { AUTO: 0, UDP: 1, TCP: 2, TLS: 3 } as const;
const HAS_IPV6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));

let bed: Testbed;
let directory: string;
let authority: TestAuthority;
let server: Certificate;

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "trunkline-e2e-tls-"));
	authority = await TestAuthority.create();
	server = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
	const client = await authority.issue({ dns: ["node.test"] });
	for (const [name, text] of [
		["ca.pem", authority.cert],
		["node.crt.pem", server.cert],
		["node.key.pem", server.key],
		["carrier.crt.pem", client.cert],
		["carrier.key.pem", client.key],
	] as const)
		writeFileSync(join(directory, name), text);
	bed = await Testbed.start({
		SIP_TLS_PORT: "0",
		SIP_TLS_CERT_FILE: join(directory, "node.crt.pem"),
		SIP_TLS_KEY_FILE: join(directory, "node.key.pem"),
		SIP_TLS_CA_FILE: join(directory, "ca.pem"),
		SIP_TLS_CLIENT_DIR: directory,
		...(HAS_IPV6 && { ADVERTISED_ADDRESS_6: "::1" }),
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

let next = 15_557_000;
const place = () => ({ number: `+${++next}`, room: `transport-${next}` });

const uri = (number: string, transport: "TCP" | "TLS"): string =>
	transport === "TCP"
		? `sip:${number}@127.0.0.1:${bed.local.sipPort};transport=tcp`
		: `sip:${number}@127.0.0.1:${bed.local.sipTlsPort};transport=tls`;

async function callee(options: Parameters<Testbed["phone"]>[0]): Promise<{ phone: Phone; calls: IncomingCall[] }> {
	const phone = await bed.phone(options);
	const calls: IncomingCall[] = [];
	phone.onIncoming((call) => {
		calls.push(call);
		call.tone(440, -20);
		void call.answer();
	});
	return { phone, calls };
}

async function trunkTo(address: string, transport: number, settings?: unknown): Promise<string> {
	const { sipTrunkId } = await bed.sip.createSipOutboundTrunk("out", address, ["+15550100"], { transport });
	if (settings === undefined) return sipTrunkId;
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${bed.local.url}/v1/trunks/${sipTrunkId}/settings`, {
		method: "PUT",
		headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
		body: JSON.stringify(settings),
	});
	expect(response.status).toBe(200);
	return sipTrunkId;
}

const dial = (trunk: string, room: string, headers: Record<string, string> = {}) =>
	bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", waitUntilAnswered: true, headers });

async function reasonOf(promise: Promise<unknown>): Promise<string> {
	return promise.then(
		() => "it was answered",
		(error: unknown) => String(error),
	);
}

describe("calls that come in", () => {
	test.each(["TCP", "TLS"] as const)("over %s: both hear each other, and either can hang up", async (transport) => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone({ transport: "UDP", tls: { ca: authority.cert } });
		const call = await phone.call(uri(number, transport), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		await settle();
		agent.take("sip_+15551111");
		call.received.clear();
		await settle(1_000);
		expectTones(agent.take("sip_+15551111"), 48_000, [440], [1_000]);
		expectTones(call.received.pcm(), 8_000, [1_000], [440]);
		call.hangup();
		await until(() => agent.left.includes("sip_+15551111"), "the participant to leave");

		const second = await phone.call(uri(number, transport), { from: "+15551112" });
		await second.answered();
		await bed.rooms.removeParticipant(room, "sip_+15551112");
		expect(await second.ended()).toMatchObject({ by: "remote" });
	});

	it("over TLS: a node whose certificate is not of the name that was dialled is not called", async () => {
		const phone = await bed.phone({ tls: { ca: (await TestAuthority.create("somebody else")).cert } });
		const call = await phone.call(uri("+15550000", "TLS"));
		await expect(call.answered()).rejects.toThrow(/certificate/);
	});
});

describe("calls that go out", () => {
	it("over TCP", async () => {
		const { room } = place();
		const { phone, calls } = await callee({ transport: "TCP" });
		await dial(await trunkTo(`127.0.0.1:${phone.port}`, TRANSPORT.TCP), room);
		expect(calls.map(({ state }) => state)).toEqual(["answered"]);
		expect(phone.stats().legs).toBe(1);
		calls[0]?.hangup();
	});

	it("over TLS, the certificate verified, with a certificate of the node's own", async () => {
		const { room } = place();
		const { phone, calls } = await callee({ transport: "TLS", tls: { ...server, ca: authority.cert } });
		const trunk = await trunkTo(`localhost:${phone.port}`, TRANSPORT.TLS, { tls: { clientCertificate: "carrier", minVersion: "TLSv1.3" } });
		await dial(trunk, room);
		expect(calls).toHaveLength(1);
		calls[0]?.hangup();
	});

	test.each<[string, () => Promise<Certificate>, RegExp]>([
		["of another name", () => authority.issue({ dns: ["other.test"] }), /not that of localhost, but of DNS:other\.test/],
		["expired", () => authority.issue({ dns: ["localhost"], expired: true }), /TLS with localhost: certificate has expired/],
		["of an authority that nobody knows", async () => (await TestAuthority.create("x")).issue({ dns: ["localhost"] }), /unable to/],
	])("over TLS to a peer whose certificate is %s: refused, and the reason says so", async (_, issue, message) => {
		const { room } = place();
		const { phone, calls } = await callee({ transport: "TLS", tls: await issue() });
		expect(await reasonOf(dial(await trunkTo(`localhost:${phone.port}`, TRANSPORT.TLS), room))).toMatch(message);
		expect(calls).toEqual([]);
	});

	it("too large for UDP: by TCP where the trunk says nothing, by UDP where it says so, or where there is no TCP", async () => {
		const { room } = place();
		const big = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`X-Big-${index}`, "y".repeat(150)]));
		const [withTcp, without] = [await callee({ transport: "TCP" }), await callee({ transport: "UDP" })];
		for (const [{ phone, calls }, transport, expected] of [
			[withTcp, TRANSPORT.AUTO, "SIP/2.0/TCP"],
			[withTcp, TRANSPORT.UDP, "SIP/2.0/UDP"],
			[without, TRANSPORT.AUTO, "SIP/2.0/UDP"],
		] as const) {
			await dial(await trunkTo(`127.0.0.1:${phone.port}`, transport), `${room}-${phone.port}-${transport}`, big);
			expect(calls.at(-1)?.request.headers.find(({ key }) => key === "via")?.value).toContain(expected);
			calls.at(-1)?.hangup();
		}
	});
});

describe("a connection that is cut in the middle of a call", () => {
	async function talking(): Promise<{ phone: Phone; call: PhoneCall; room: string }> {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone({ transport: "TCP" });
		const call = await phone.call(uri(number, "TCP"), { from: "+15551111" });
		await call.answered();
		return { phone, call, room };
	}

	it("our BYE gets there by a new one", async () => {
		const { phone, call, room } = await talking();
		phone.cutConnections();
		await settle(50);
		await bed.rooms.removeParticipant(room, "sip_+15551111");
		expect(await call.ended()).toMatchObject({ by: "remote", cause: "bye" });
	});

	it("and theirs, and it ends the call", async () => {
		const { phone, call, room } = await talking();
		phone.cutConnections();
		await settle(50);
		call.hangup();
		await until(async () => (await bed.rooms.listParticipants(room)).length === 1, "the telephone to leave the room");
		expect(call.end).toMatchObject({ by: "local" });
	});
});

describe("IPv6", () => {
	test.for(["UDP", "TCP"] as const)(
		"a call comes in and one goes out over %s, beside IPv4 on the same port",
		async (transport, { skip }) => {
			skip(!HAS_IPV6, "this machine has no ::1");
			const { number, room } = place();
			await bed.inbound(number, room);
			const agent = await bed.participant(room, "agent");
			await agent.speak(1_000);
			const { phone, calls } = await callee({ host: "::1", transport });
			const call = await phone.call(`sip:${number}@[::1]:${bed.local.sipPort};transport=${transport.toLowerCase()}`, { from: "+15551111" });
			call.tone(440, -20);
			expect((await call.answered()).remote?.address).toBe("::1");
			await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
			await dial(await trunkTo(`[::1]:${phone.port}`, TRANSPORT[transport]), room);
			await settle(1_500);
			expectTones((calls[0] as PhoneCall).received.pcm().slice(-8_000), 8_000, [1_000], []);
			call.hangup();
			calls[0]?.hangup();
		},
	);
});

it("a stranger who sends no whole message, or none at all, is put out", async () => {
	const socket = connect(bed.local.sipPort, "127.0.0.1");
	socket.write("GET / HTTP/1.1\r\n\r\n");
	await new Promise((resolve) => socket.once("close", resolve));
	expect(socket.bytesRead).toBe(0);
});
