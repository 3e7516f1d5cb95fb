import { createHash, createHmac } from "node:crypto";
import { TurnCore, type TurnCoreOptions } from "@trunkline/testkit/turn-core";
import { describe, expect, it } from "vitest";
import { TurnClient, type TurnClientOptions, type TurnOutput } from "./client.ts";

const hmacSha1 = (key: Uint8Array) => (message: Uint8Array, tail: Uint8Array) =>
	createHmac("sha1", key).update(message).update(tail).digest();
const PEER = { address: "192.0.2.9", port: 4000 };

/** mulberry32 */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}

interface World {
	random?: () => number;
	/** of each message between client and server: how often it arrives */
	copies?: () => number;
	client?: Partial<TurnClientOptions>;
	server?: Partial<TurnCoreOptions>;
}

/** A client, the test kit's server, 10 ms between them, and a peer that hears what the relay sends. */
function world({ random = seeded(1), copies = () => 1, client: more = {}, server: serverOptions = {} }: World = {}) {
	let now = 0;
	let isCut = false;
	const told: Exclude<TurnOutput, { kind: "send" }>[] = [];
	const sent: { at: number; packet: Buffer }[] = [];
	const heardByPeer: { at: number; text: string; to: string }[] = [];
	const heard: { text: string; from: string }[] = [];
	let flying: { at: number; to: "client" | "server"; packet: Buffer }[] = [];
	let toRelay: ((data: Buffer, address: string, port: number) => void) | undefined;
	const core = new TurnCore({
		users: { user: "password" },
		now: () => now,
		openRelay: (onPacket, opened) => {
			toRelay = onPacket;
			opened({
				...{ address: "198.51.100.7", port: 50_000, close: () => undefined },
				send: (data, address, port) => heardByPeer.push({ at: now, text: data.toString(), to: `${address}:${port}` }),
			});
		},
		...serverOptions,
	});
	const post = (to: "client" | "server", packet: Uint8Array): void => {
		for (let i = isCut ? 0 : copies(); i > 0; i--) flying.push({ at: now + 10 * i, to, packet: Buffer.from(packet) });
	};
	const link = { send: (packet: Buffer) => post("client", packet) };
	const client = new TurnClient({
		...{ username: "user", password: "password", isStream: false, family: 4, hmacSha1 },
		random: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
		md5: (bytes) => createHash("md5").update(bytes).digest(),
		onData: (data, address, port) => heard.push({ text: Buffer.from(data).toString(), from: `${address}:${port}` }),
		...more,
	});
	const drain = (): void => {
		for (let output = client.poll(); output !== undefined; output = client.poll()) {
			if (output.kind !== "send") {
				told.push(output);
				continue;
			}
			sent.push({ at: now, packet: Buffer.from(output.packet) });
			post("server", output.packet);
		}
	};
	const run = (untilMs: number): void => {
		for (;;) {
			drain();
			const next = Math.min(client.nextAt ?? Number.POSITIVE_INFINITY, ...flying.map(({ at }) => at));
			if (next > untilMs) break;
			now = Math.max(now, next);
			const due = flying.filter(({ at }) => at <= now);
			flying = flying.filter(({ at }) => at > now);
			for (const { to, packet } of due) {
				if (to === "client") client.receive(packet, now);
				else core.receive(link, packet);
			}
			client.tick(now);
		}
		now = untilMs;
	};
	const say = (text: string, { address, port } = PEER): void => {
		const wrapped = client.wrap(Buffer.from(text), address, port, now);
		if (wrapped !== undefined) post("server", wrapped);
		drain();
	};
	return {
		...{ client, core, told, sent, heard, heardByPeer, run, say, drain, now: () => now, cut: (cut: boolean) => (isCut = cut) },
		fromPeer: (text: string, { address, port } = PEER) => toRelay?.(Buffer.from(text), address, port),
		inject: (packet: Uint8Array) => client.receive(packet, now),
	};
}

const ALLOCATED = { kind: "allocated", address: "198.51.100.7", port: 50_000 };

function allocated(options?: World): ReturnType<typeof world> {
	const made = world(options);
	made.client.start(0);
	made.run(100);
	expect(made.told).toEqual([ALLOCATED]);
	return made;
}

describe("an allocation", () => {
	it("is there after two round trips: 401, then with credentials", () => {
		const { client, told, sent, run } = world();
		client.start(0);
		run(39);
		expect(told).toEqual([]);
		run(40);
		expect(told).toEqual([ALLOCATED]);
		expect(sent.map(({ at }) => at)).toEqual([0, 20]);
		// Allocate, REQUESTED-TRANSPORT 17 (UDP)
		expect(sent[0]?.packet.subarray(0, 2).toString("hex")).toBe("0003");
		expect(sent[0]?.packet.subarray(20, 28).toString("hex")).toBe("0019000411000000");
	});

	it("a fifth of all messages lost, two fifths doubled: it is there whatever the seed, once", () => {
		for (let seed = 1; seed <= 100; seed++) {
			const random = seeded(seed);
			const { client, core, told, run } = world({ random, copies: () => [0, 1, 1, 2, 2][Math.floor(random() * 5)] ?? 1 });
			client.start(0);
			run(60_000);
			expect(told, `seed ${seed}`).toEqual([ALLOCATED]);
			expect(core.counts.allocations, `seed ${seed}`).toBe(1);
		}
	});

	it("nobody there: seven times, as RFC 8489 §6.2.1 has it, then given up", () => {
		const { client, told, sent, run } = world({ copies: () => 0 });
		client.start(0);
		run(60_000);
		expect(sent.map(({ at }) => at)).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 15_750]);
		expect(told).toEqual([{ kind: "failed", reason: "the server does not answer" }]);
		expect(client.nextAt).toBeUndefined();
	});

	it("by a stream nothing is repeated", () => {
		const { client, told, sent, run } = world({ copies: () => 0, client: { isStream: true } });
		client.start(0);
		run(60_000);
		expect(sent.map(({ at }) => at)).toEqual([0]);
		expect(told).toHaveLength(1);
	});

	it("another password: the reason is the server's", () => {
		const { client, told, run } = world({ client: { password: "another" } });
		client.start(0);
		run(60_000);
		expect(told).toEqual([{ kind: "failed", reason: "the server says 401 Unauthorized" }]);
	});

	it("is refreshed a minute before its end, stale nonces or not, for hours", () => {
		const { core, told, run } = allocated();
		run(539_000);
		expect(core.counts.refreshes).toBe(0);
		run(541_000);
		expect(core.counts.refreshes).toBe(1);
		core.expireNonces();
		run(7_200_000);
		expect(core.counts.refreshes).toBe(13);
		expect([told, core.live]).toEqual([[ALLOCATED], 1]);
	});

	it("a server that forgot it: gone at the next refresh (437)", () => {
		const { core, told, run } = allocated();
		core.forget();
		run(600_000);
		expect(told).toEqual([ALLOCATED, { kind: "failed", reason: "the server says 437 Allocation Mismatch" }]);
	});

	it("a network that is gone for 40 s at the refresh does not end it, one that stays gone does, when it expires", () => {
		const { told, run, cut } = allocated();
		run(535_000);
		cut(true);
		run(575_000);
		cut(false);
		run(1_000_000);
		expect(told).toEqual([ALLOCATED]);
		cut(true);
		run(3_000_000);
		expect(told.at(-1)).toEqual({ kind: "failed", reason: "the allocation has expired" });
	});

	it("is given back, though the nonce is stale and the first message is lost", () => {
		const { client, core, told, run, cut, drain, now } = allocated();
		core.expireNonces();
		client.close(now());
		cut(true);
		drain();
		cut(false);
		run(now() + 500);
		expect([told.at(-1), core.counts.released, core.live]).toEqual([{ kind: "closed" }, 1, 0]);
		expect(client.nextAt).toBeUndefined();
	});

	it("closed while it is being made: given back as soon as it is there", () => {
		const { client, core, told, run } = world();
		client.start(0);
		run(25);
		client.close(25);
		run(1_000);
		expect([told, core.counts.allocations, core.counts.released]).toEqual([[{ kind: "closed" }], 1, 1]);
	});

	it("closed at a server that is gone: over after a second", () => {
		const { client, told, run, cut } = allocated();
		cut(true);
		client.close(100);
		run(1_099);
		expect(told).toEqual([ALLOCATED]);
		run(1_100);
		expect(told).toEqual([ALLOCATED, { kind: "closed" }]);
	});
});

describe("a peer", () => {
	it("hears the first packet as soon as it is permitted, and on a channel when it is bound", () => {
		const { client, core, run, say, heard, heardByPeer, fromPeer, now } = allocated();
		say("one");
		run(200);
		// a round trip for the permission, and the indication
		expect(heardByPeer).toEqual([{ at: 130, text: "one", to: "192.0.2.9:4000" }]);
		fromPeer("answer");
		run(250);
		client.bind(PEER.address, PEER.port, now());
		run(300);
		say("two");
		run(350);
		fromPeer("on the channel");
		run(400);
		expect(heardByPeer.map(({ text }) => text)).toEqual(["one", "two"]);
		expect(heard).toEqual([
			{ text: "answer", from: "192.0.2.9:4000" },
			{ text: "on the channel", from: "192.0.2.9:4000" },
		]);
		expect(core.counts).toMatchObject({ indications: 1, channelData: 1, permissions: 1, channelBinds: 1 });
	});

	it.each([
		[false, "400000056162636465ffffff", 9],
		[true, "400000056162636465000000", 12],
	])("the header is written in place, by a stream (%s) with padding", (isStream, bytes, length) => {
		const { client, run, now } = allocated({ client: { isStream } });
		client.bind(PEER.address, PEER.port, now());
		const buffer = Buffer.concat([Buffer.alloc(4), Buffer.from("abcde"), Buffer.alloc(3, 0xff)]);
		expect(client.wrapInPlace(buffer, 5, PEER.address, PEER.port)).toBe(0);
		run(200);
		expect(client.wrapInPlace(buffer, 5, PEER.address, PEER.port)).toBe(length);
		expect(buffer.toString("hex")).toBe(bytes);
		expect(client.wrapInPlace(buffer, 5, PEER.address, PEER.port + 1)).toBe(0);
	});

	it("who is talked to stays permitted and bound for hours", () => {
		const { client, core, run, say, heardByPeer, now } = allocated();
		client.bind(PEER.address, PEER.port, now());
		for (let at = 1_000; at < 7_200_000; at += 20_000) {
			run(at);
			say("still");
		}
		run(7_200_000);
		expect(heardByPeer).toHaveLength(360);
		expect(core.counts.channelData).toBe(360);
		expect(core.counts.channelBinds).toBe(14);
	});

	it("a permission is asked for again a minute before its end", () => {
		const { core, run, say } = allocated();
		for (const at of [1_000, 2_000, 239_000]) {
			run(at);
			say("still");
		}
		expect(core.counts.permissions).toBe(1);
		run(241_500);
		expect(core.counts.permissions).toBe(2);
	});

	it("who is not talked to any more costs nothing; later a permission is asked for anew", () => {
		const { core, run, say, heardByPeer } = allocated();
		say("one");
		run(1_000_000);
		expect(core.counts.permissions).toBe(1);
		say("two");
		run(1_000_100);
		expect(core.counts.permissions).toBe(2);
		expect(heardByPeer.map(({ text }) => text)).toEqual(["one", "two"]);
	});

	it("that the server forbids (403) is not reached, and others are", () => {
		const { run, say, heardByPeer } = allocated({ server: { isPermitted: (address) => address !== PEER.address } });
		say("forbidden");
		say("allowed", { address: "192.0.2.10", port: 1 });
		run(60_000);
		say("forbidden");
		run(61_000);
		expect(heardByPeer.map(({ text }) => text)).toEqual(["allowed"]);
	});

	it("that we never sent to is not heard", () => {
		const { run, say, heard, fromPeer } = allocated();
		say("one");
		run(200);
		fromPeer("a stranger", { address: "192.0.2.66", port: 4000 });
		run(300);
		expect(heard).toEqual([]);
	});
});

describe("what somebody else writes", () => {
	const forged = (request: Buffer, type: number, attributes: string): Buffer => {
		const packet = Buffer.concat([Buffer.from(request.subarray(0, 20)), Buffer.from(attributes, "hex")]);
		packet.writeUInt16BE(type, 0);
		packet.writeUInt16BE(packet.length - 20, 2);
		return packet;
	};
	/** XOR-RELAYED-ADDRESS 203.0.113.66:6666, LIFETIME 600 */
	const SUCCESS = "00160008" + "00013b18" + "ea12d500" + "000d0004" + "00000258";

	it("a success without MESSAGE-INTEGRITY, or under another key, has not come", () => {
		const { client, told, sent, run, inject } = world();
		client.start(0);
		run(25);
		const request = sent[1]?.packet ?? Buffer.alloc(0);
		inject(forged(request, 0x103, SUCCESS));
		inject(forged(request, 0x103, `${SUCCESS}00080014${"ab".repeat(20)}`));
		// not even with no credentials asked for yet
		const early = world();
		early.client.start(0);
		early.drain();
		early.inject(forged(early.sent[0]?.packet ?? Buffer.alloc(0), 0x103, SUCCESS));
		early.drain();
		expect([told, early.told]).toEqual([[], []]);
		run(100);
		expect(told).toEqual([ALLOCATED]);
	});

	it("an error that is not signed ends nothing, and is what is told when nothing else comes", () => {
		const { client, core, told, sent, run, inject, cut } = world();
		client.start(0);
		run(20);
		cut(true);
		run(25);
		// 486 Allocation Quota Reached
		inject(forged(sent[1]?.packet ?? Buffer.alloc(0), 0x113, "0009000400000456"));
		run(26);
		expect(told).toEqual([]);
		run(60_000);
		expect(told).toEqual([{ kind: "failed", reason: "the server says 486" }]);
		expect(core.counts.allocations).toBe(1);
	});

	it("a 401 to a refresh does not end the allocation", () => {
		const { told, sent, run, inject } = allocated();
		run(540_050);
		inject(forged(sent.at(-1)?.packet ?? Buffer.alloc(0), 0x114, "0009000400000401" + "0014000161000000" + "0015000162000000"));
		run(2_000_000);
		expect(told).toEqual([ALLOCATED]);
	});

	it("a server that finds every nonce stale is given up", () => {
		const { client, core, told, run } = world({ copies: () => (core.expireNonces(), 1) });
		client.start(0);
		run(60_000);
		expect(told).toEqual([{ kind: "failed", reason: "the server says 438 Stale Nonce" }]);
	});
});
