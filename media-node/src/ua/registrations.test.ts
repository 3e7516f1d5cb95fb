import type { OutboundTrunk } from "@trunkline/contracts";
import type { Address } from "@trunkline/sip";
import {
	captureLogs,
	MemoryConfigStore,
	MemoryRegistrationStore,
	nodeHashes,
	outboundTrunk,
	type RegistrarOptions,
	seededBytes,
	seededRandom,
	SimClock,
	SimNet,
	TestRegistrar,
} from "@trunkline/testkit";
import { beforeEach, expect, it } from "vitest";
import { UnreachableError } from "../call/ports.ts";
import { Registrations } from "./registrations.ts";
import { SipUserAgent } from "./user-agent.ts";

const REGISTRAR: Address = { host: "198.51.100.1", port: 5060, transport: "UDP" };
const PROJECT = "p_bank";

let clock: SimClock;
let net: SimNet;
let registrar: TestRegistrar;
let config: MemoryConfigStore;
let store: MemoryRegistrationStore;
let names: Record<string, readonly Address[]>;
/** the node that has no store */
let cutOff: string;

beforeEach(() => {
	clock = new SimClock(1_000_000);
	net = new SimNet(clock);
	config = new MemoryConfigStore();
	store = new MemoryRegistrationStore();
	names = { "carrier.example": [REGISTRAR] };
	cutOff = "";
	serve();
});

function serve(options: RegistrarOptions = { user: "alice", password: "secret" }): void {
	registrar = new TestRegistrar(options);
	net.bind(REGISTRAR, ({ bytes, from }) => {
		const answer = registrar.answer(bytes, from);
		if (answer !== undefined) net.send(REGISTRAR, from, answer);
	});
}

const trunk = (changes: Partial<OutboundTrunk> = {}): OutboundTrunk =>
	outboundTrunk({
		...{ trunkId: "ST_r", address: "carrier.example", authUsername: "alice", authPassword: "secret" },
		...{ settings: { registration: { enabled: true, expiresSeconds: 600 } }, ...changes },
	});

function node(nodeId: string, host: string): Registrations {
	const at: Address = { host, port: 5060, transport: "UDP" };
	const userAgent = new SipUserAgent({
		endpoint: { userAgent: "Trunkline", contact: { host, port: 5060 }, random: seededBytes(seededRandom(host.length)), hashes: nodeHashes },
		clock,
		resolve: async () => [REGISTRAR],
		send: (bytes, to) => net.send(at, to, bytes),
		onInvite: () => () => {},
		onRegistration: (name, event) => registrations.onEvent(name, event),
		refusal: () => undefined,
		log: captureLogs(),
	});
	net.bind(at, (packet) => userAgent.received(packet.bytes, packet.from));
	const registrations = new Registrations({
		projectId: "p_own",
		nodeId,
		configStore: config,
		store: {
			getRegistration: (...asked) => store.getRegistration(...asked),
			releaseRegistration: (...asked) => store.releaseRegistration(...asked),
			holdRegistration: async (...asked) => {
				if (nodeId === cutOff) throw new Error("the store is down");
				return store.holdRegistration(...asked);
			},
		},
		userAgent,
		resolve: async ({ host: name }) => {
			const targets = names[name];
			if (targets === undefined) throw new UnreachableError(`the name ${name} cannot be resolved`);
			return targets;
		},
		now: () => clock.now(),
		sleep: (ms, signal) =>
			new Promise((resolve) => {
				const cancel = clock.wakeAt(clock.now() + ms, resolve);
				signal.addEventListener("abort", () => {
					cancel();
					resolve();
				});
			}),
		log: captureLogs(),
	});
	return registrations;
}

async function run(ms: number): Promise<void> {
	for (let left = ms; left > 0; left -= 1_000) {
		clock.runFor(Math.min(left, 1_000));
		for (let turn = 0; turn < 20; turn++) await Promise.resolve();
	}
}

it("registers what is turned on, says how it goes, and takes it back when it is turned off", async () => {
	await config.createTrunk(PROJECT, trunk());
	await config.createTrunk(PROJECT, trunk({ trunkId: "ST_off", settings: { registration: { enabled: false } } }));
	const one = node("ND_1", "192.0.2.1");
	one.start();
	await run(2_000);
	expect(registrar.contacts()).toEqual(["sip:alice@192.0.2.1:5060"]);
	const record = await store.getRegistration(PROJECT, "ST_r");
	expect(record).toMatchObject({
		...{ nodeId: "ND_1", state: "registered", contact: "sip:alice@192.0.2.1:5060", registrar: "carrier.example" },
		registeredUntil: expect.any(Number),
	});
	expect(one.list()).toEqual([record]);
	await run(20 * 60_000);
	expect(registrar.requests.length).toBeGreaterThanOrEqual(3);
	await config.updateTrunk(PROJECT, trunk(), trunk({ version: 2, settings: {} }));
	await run(20_000);
	expect(registrar.contacts()).toEqual([]);
	expect(await store.getRegistration(PROJECT, "ST_r")).toBeUndefined();
	await one.stop();
});

it("of two nodes one registers; when it is gone, the other does within a lease and a poll", async () => {
	await config.createTrunk(PROJECT, trunk());
	const [one, two] = [node("ND_1", "192.0.2.1"), node("ND_2", "192.0.2.22")];
	one.start();
	two.start();
	await run(60_000);
	expect(registrar.contacts()).toEqual(["sip:alice@192.0.2.1:5060"]);
	// The first one's network goes, its lease with it.
	net.filter = ({ from }) => from.host !== "192.0.2.1";
	cutOff = "ND_1";
	await run(61_000);
	await run(16_000);
	expect(registrar.contacts().at(-1)).toBe("sip:alice@192.0.2.22:5060");
	expect((await store.getRegistration(PROJECT, "ST_r"))?.nodeId).toBe("ND_2");
	// Back again, it leaves it to the other.
	cutOff = "";
	net.filter = () => true;
	await run(60_000);
	expect((await store.getRegistration(PROJECT, "ST_r"))?.nodeId).toBe("ND_2");
	expect(one.list()).toEqual([]);
	await Promise.all([one.stop(), two.stop(), run(5_000)]);
});

it("a node that stops takes its binding away and leaves the lease at once", async () => {
	await config.createTrunk(PROJECT, trunk());
	const [one, two] = [node("ND_1", "192.0.2.1"), node("ND_2", "192.0.2.22")];
	one.start();
	await run(2_000);
	two.start();
	await run(2_000);
	await Promise.all([one.stop(), run(3_000)]);
	expect(registrar.contacts()).toEqual([]);
	await run(16_000);
	expect(registrar.contacts()).toEqual(["sip:alice@192.0.2.22:5060"]);
	await Promise.all([two.stop(), run(3_000)]);
});

it("what fails is said in words: no such name, no user, wrong password; and it goes on when that is mended", async () => {
	await config.createTrunk(PROJECT, trunk({ address: "nowhere.example" }));
	await config.createTrunk(PROJECT, trunk({ trunkId: "ST_nobody", authUsername: "" }));
	await config.createTrunk(PROJECT, trunk({ trunkId: "ST_wrong", authPassword: "wrong" }));
	const one = node("ND_1", "192.0.2.1");
	one.start();
	await run(5_000);
	expect(await store.getRegistration(PROJECT, "ST_r")).toMatchObject({
		state: "failed",
		message: "the name nowhere.example cannot be resolved",
	});
	expect(await store.getRegistration(PROJECT, "ST_nobody")).toMatchObject({
		state: "failed",
		message: expect.stringContaining("names no user"),
	});
	expect(await store.getRegistration(PROJECT, "ST_wrong")).toMatchObject({
		state: "failed",
		sipStatus: 401,
		message: "credentials refused",
	});
	names["nowhere.example"] = [REGISTRAR];
	await config.updateTrunk(PROJECT, trunk({ trunkId: "ST_wrong", authPassword: "wrong" }), trunk({ trunkId: "ST_wrong", version: 2 }));
	await run(50_000);
	expect(await store.getRegistration(PROJECT, "ST_r")).toMatchObject({ state: "registered" });
	const wrong = await store.getRegistration(PROJECT, "ST_wrong");
	expect(wrong).toMatchObject({ state: "registered" });
	expect(wrong?.message).toBeUndefined();
	await Promise.all([one.stop(), run(3_000)]);
});

it("a registrar with several addresses: the next one when the first does not answer", async () => {
	names["carrier.example"] = [{ ...REGISTRAR, host: "198.51.100.99" }, REGISTRAR];
	await config.createTrunk(PROJECT, trunk());
	const one = node("ND_1", "192.0.2.1");
	one.start();
	await run(100_000);
	expect(await store.getRegistration(PROJECT, "ST_r")).toMatchObject({ state: "registered" });
	await Promise.all([one.stop(), run(3_000)]);
});
