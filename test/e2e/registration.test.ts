import { createSocket, type Socket } from "node:dgram";
import type { RegistrationView, TrunkSettings } from "@trunkline/contracts";
import { DnsServer, TestRegistrar } from "@trunkline/testkit";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";

let bed: Testbed;
let dns: DnsServer;
/** what the name server knows; tests add to it */
const zone: Record<string, Parameters<typeof DnsServer.start>[0][string]> = {};
const registrar = new TestRegistrar({ user: "alice", password: "secret", minExpires: 1_200 });
let registrarSocket: Socket;

beforeAll(async () => {
	dns = await DnsServer.start(zone);
	registrarSocket = createSocket("udp4");
	registrarSocket.on("message", (bytes, from) => {
		const answer = registrar.answer(bytes, { host: from.address, port: from.port, transport: "UDP" });
		if (answer !== undefined) registrarSocket.send(answer, from.port, from.address);
	});
	await new Promise<void>((resolve) => registrarSocket.bind(0, "127.0.0.1", resolve));
	serves("carrier.test", registrarSocket.address().port);
	bed = await Testbed.start({ SIP_DNS_SERVERS: dns.address });
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(async () => {
	await bed.close();
	await new Promise<void>((resolve) => registrarSocket.close(() => resolve()));
	await dns.close();
});

/** SRV records of a name, in the order of the ports. */
function serves(name: string, ...ports: number[]): void {
	zone[`NAPTR ${name}`] = { naptr: [{ order: 1, preference: 1, flags: "s", service: "SIP+D2U", replacement: `_sip._udp.${name}` }] };
	zone[`SRV _sip._udp.${name}`] = { srv: ports.map((port, i) => ({ priority: i, weight: 0, port, name: `edge.${name}` })) };
	zone[`A edge.${name}`] = { addresses: ["127.0.0.1"] };
}

async function v1<T>(path: string, settings?: TrunkSettings): Promise<T> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${bed.local.url}/v1/${path}`, {
		headers: { authorization: `Bearer ${await token.toJwt()}` },
		...(settings === undefined ? {} : { method: "PUT", body: JSON.stringify(settings) }),
	});
	if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
	return (await response.json()) as T;
}

const trunkTo = async (address: string, settings: TrunkSettings, auth = {}): Promise<string> => {
	const trunk = await bed.sip.createSipOutboundTrunk("out", address, ["+15550100"], { transport: 0, ...auth });
	await v1(`trunks/${trunk.sipTrunkId}/settings`, settings);
	return trunk.sipTrunkId;
};

describe("a trunk that registers", () => {
	it("is found by DNS, answers 401 and 423, gets calls at its Contact, and is taken back with the trunk", async () => {
		const trunkId = await trunkTo(
			"carrier.test",
			{ registration: { enabled: true, expiresSeconds: 600 } },
			{ authUsername: "alice", authPassword: "secret" },
		);
		await until(async () => (await v1<RegistrationView>(`trunks/${trunkId}/registration`)).state === "registered", "the registration");
		const view = await v1<RegistrationView>(`trunks/${trunkId}/registration`);
		const contact = `sip:alice@127.0.0.1:${bed.local.sipPort}`;
		expect(view).toMatchObject({ registrar: "carrier.test", contact });
		// What 423 asked for, not what the settings say.
		expect((view.registeredUntil ?? 0) - Date.now()).toBeGreaterThan(1_100_000);
		expect(registrar.contacts()).toEqual([contact]);
		expect(bed.local.stats().node.registrations).toBe(1);
		expect(dns.asked).toContain("NAPTR carrier.test");

		// The carrier calls where we are registered; an inbound trunk takes it as ever.
		await bed.inbound("alice", "registered");
		await bed.participant("registered", "agent").then((agent) => agent.speak(1_000));
		const phone = await bed.phone();
		const call = await phone.call(registrar.contacts()[0] ?? "", { from: "+15551111" });
		await call.answered();
		call.hangup();

		await bed.sip.deleteSipTrunk(trunkId);
		await until(() => registrar.contacts().length === 0, "the binding to go");
	});
});

describe("an outbound call to a carrier with several addresses", () => {
	it("goes on to the next one after a 503, and the record says so", async () => {
		const [full, free] = [await bed.phone(), await bed.phone()];
		full.onIncoming((call) => call.reject(503));
		free.onIncoming((call) => {
			call.ring();
			void call.answer();
		});
		serves("two.test", full.port, free.port);
		const trunkId = await trunkTo("two.test", {});
		const participant = await bed.sip.createSipParticipant(trunkId, "+15550199", "failover", {
			participantIdentity: "callee",
			waitUntilAnswered: true,
		});
		const { timeline } = await v1<{ timeline: { event: string; detail?: string }[] }>(`calls/${participant.sipCallId}`);
		expect(timeline.filter(({ event }) => event === "attempt").map(({ detail }) => detail)).toEqual([
			`UDP 127.0.0.1:${full.port}: 503 Service Unavailable`,
			`UDP 127.0.0.1:${free.port}: took the call`,
		]);
		expect(free.calls[0]?.state).toBe("answered");
		free.calls[0]?.hangup();
	});

	it("who declines has decided for all", async () => {
		const [declines, other] = [await bed.phone(), await bed.phone()];
		declines.onIncoming((call) => call.reject(603));
		serves("declines.test", declines.port, other.port);
		const trunkId = await trunkTo("declines.test", {});
		await expect(
			bed.sip.createSipParticipant(trunkId, "+15550199", "declined", { participantIdentity: "callee", waitUntilAnswered: true }),
		).rejects.toThrow("603");
		expect(other.calls).toEqual([]);
	});
});
