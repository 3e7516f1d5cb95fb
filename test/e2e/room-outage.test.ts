import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type CallDetails, callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import { RoomServer } from "@trunkline/room-server";
import { CuttableProxy } from "@trunkline/testkit";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Participant } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const ACCESS = { apiKey: "devkey", apiSecret: "secret-of-rooms-that-are-lost-at-times" };
const CALLER = "sip_+15551111";
const LIMIT_SECONDS = 4;

/** A room server that can be stopped and started, and the way of the node to it, which can be cut. */
class Rooms {
	port = 0;
	#current: { server: RoomServer; http: Server } | undefined;

	async start(): Promise<void> {
		const server = new RoomServer({ apiKeys: { [ACCESS.apiKey]: ACCESS.apiSecret } });
		const http = createServer((request, response) => {
			if (!server.handleHttp(request, response)) response.writeHead(404).end();
		});
		http.on("upgrade", (request, socket, head) => {
			if (!server.handleUpgrade(request, socket, head)) socket.destroy();
		});
		await new Promise<void>((resolve) => http.listen(this.port, "127.0.0.1", resolve));
		this.port = (http.address() as AddressInfo).port;
		this.#current = { server, http };
	}

	async stop(): Promise<void> {
		const { server, http } = this.#current ?? {};
		await server?.close();
		http?.closeAllConnections();
		await new Promise((resolve) => http?.close(resolve));
	}
}

const rooms = new Rooms();
let proxy: CuttableProxy;
let bed: Testbed;

beforeAll(async () => {
	await rooms.start();
	proxy = await CuttableProxy.to(rooms.port);
	bed = await Testbed.start({
		...{ LIVEKIT_URL: `ws://127.0.0.1:${proxy.port}`, LIVEKIT_API_KEY: ACCESS.apiKey, LIVEKIT_API_SECRET: ACCESS.apiSecret },
		ROOM_RECOVERY_SECONDS: String(LIMIT_SECONDS),
		// what rooms ask of the main thread crosses threads
		MEDIA_WORKERS: "1",
	});
});
const agents: Participant[] = [];
afterEach(async () => {
	proxy.mend();
	for (const agent of agents.splice(0)) await agent.leave();
	await bed.clear();
	await bed.idle();
});
afterAll(async () => {
	await bed.close();
	await proxy.close();
	await rooms.stop();
});

let next = 15_551_900;

async function join(room: string): Promise<Participant> {
	const agent = await Participant.join({ url: `ws://127.0.0.1:${rooms.port}`, ...ACCESS }, room, `agent-${agents.length}`);
	agents.push(agent);
	await agent.speak(1_000);
	return agent;
}

/** A telephone (440 Hz) that is in a room with somebody (1000 Hz). */
async function talking() {
	const [number, room] = [`+${++next}`, `room-${next}`];
	const { trunkId } = await bed.inbound(number, room);
	const agent = await join(room);
	const phone = await bed.phone();
	const call = await phone.call(bed.uri(number), { from: "+15551111", headers: [["X-Customer", "17"]] });
	call.tone(440, -20);
	await call.answered();
	await until(() => agent.heardFrom().includes(CALLER), "the participant to hear the telephone");
	// it is heard a moment before the record says so, and says what happens from then on
	await until(async () => (await steps(room)).includes("answered"), "the record to say that the call was answered");
	return { agent, call, room, trunkId };
}

async function record(room: string): Promise<CallDetails> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const authorization = `Bearer ${await token.toJwt()}`;
	const get = async (path: string): Promise<unknown> => (await fetch(`${bed.local.url}${path}`, { headers: { authorization } })).json();
	const { calls } = callPageSchema.parse(await get(`/v1/calls?room=${room}&limit=1`));
	return callDetailsSchema.parse(await get(`/v1/calls/${calls[0]?.id ?? ""}`));
}

const steps = async (room: string): Promise<string[]> => (await record(room)).timeline.map(({ event }) => event);

describe("a call whose room is lost", () => {
	it("for a second: the telephone stays, and all hear each other", async () => {
		const { agent, call, room } = await talking();
		proxy.cut();
		await delay(1_000);
		proxy.mend();
		await until(async () => (await steps(room)).includes("room-restored"), "the record to say that the room is back");
		await settle();
		agent.take(CALLER);
		call.received.clear();
		await settle(1_500);
		expectTones(call.received.pcm(), 8_000, [1_000], [440]);
		expectTones(agent.take(CALLER), 48_000, [440], [1_000]);
		expect(call.state).toBe("answered");
		expect(await steps(room)).toContain("room-interrupted");
		call.hangup();
	});

	it("with its server, which is started again: silence meanwhile, and the same participant in the room after it", async () => {
		const { call, room } = await talking();
		await rooms.stop();
		call.received.clear();
		await delay(1_000);
		// a telephone that hears nothing at all hangs up, or its provider does
		expect(call.received.packets.length).toBeGreaterThan(30);
		await rooms.start();
		const agent = await join(room);
		await until(() => agent.heardFrom().includes(CALLER), "the telephone to be heard in the new room");
		await settle();
		call.received.clear();
		await settle(1_500);
		expectTones(call.received.pcm(), 8_000, [1_000], [440]);
		expect(call.state).toBe("answered");
		call.hangup();
	});

	it("for longer than the limit: BYE with a reason, and the record says why", async () => {
		const { call, room } = await talking();
		proxy.cut();
		await rooms.stop();
		const end = await call.ended();
		expect(end).toMatchObject({ by: "remote" });
		await until(async () => (await record(room)).end !== undefined, "the record to end");
		expect((await record(room)).end).toMatchObject({
			reason: "room-failed",
			message: expect.stringContaining("did not come back within 4000 ms"),
		});
		await rooms.start();
	});
});

describe("what participants ask of a telephone by RPC", () => {
	it("lk.sip.GetRemoteHeaders, lk.sip.EndCall", async () => {
		const { agent, call } = await talking();
		const ask = (method: string, payload: string) =>
			agent.room.localParticipant?.performRpc({ destinationIdentity: CALLER, method, payload });
		expect(JSON.parse((await ask("lk.sip.GetRemoteHeaders", '{"include":["x-customer"]}')) ?? "")).toEqual({
			headers: { "X-Customer": "17" },
		});
		await expect(ask("lk.sip.Nothing", "")).rejects.toThrow(/not supported/);
		expect(await ask("lk.sip.EndCall", '{"headers":{"X-Outcome":"sold"}}')).toBe("{}");
		expect(await call.ended()).toMatchObject({ by: "remote" });
	});
});

describe("emptyRoomSeconds of a trunk", () => {
	it("ends a call that nobody is left for", async () => {
		const [number, room] = [`+${++next}`, `room-${next}`];
		const { trunkId } = await bed.inbound(number, room);
		await bed.settings(trunkId, { emptyRoomSeconds: 1 });
		const agent = await join(room);
		const call = await (await bed.phone()).call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(() => agent.heardFrom().includes(CALLER), "the participant to hear the telephone");
		await agent.leave();
		agents.length = 0;
		expect(await call.ended()).toMatchObject({ by: "remote" });
		await until(async () => (await record(room)).end !== undefined, "the record to end");
		expect((await record(room)).end).toMatchObject({ reason: "room-closed", message: "nobody was left in the room for 1 s" });
	});
});
