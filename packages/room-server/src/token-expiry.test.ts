// The server's time is simulated: minutes pass at once for its tokens and its timers of sessions, while sockets and the client's own timers run on.
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { dispose, Room, RoomEvent } from "@livekit/rtc-node";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";
import { nextEvent, publishTone, type RunningServer, startServer, token, until } from "./testing/harness.ts";

const MINUTE_MS = 60_000;

/** A way to the server that can be cut, and that sees which tokens clients come with. */
class Line {
	readonly tokens: string[] = [];
	readonly #sockets = new Set<Socket>();
	readonly #server: Server;

	constructor(to: number) {
		this.#server = createServer((client) => {
			const server = connect(to, "127.0.0.1");
			for (const [from, into] of [
				[client, server],
				[server, client],
			] as const) {
				this.#sockets.add(from);
				from.pipe(into);
				from.on("error", () => into.destroy());
				from.on("close", () => {
					this.#sockets.delete(from);
					into.destroy();
				});
			}
			client.once("data", (head) => {
				const text = head.toString();
				const found = /authorization: bearer (\S+)/i.exec(text) ?? /access_token=([^&\s]+)/.exec(text);
				if (/upgrade: websocket/i.test(text)) this.tokens.push(found?.[1] ?? "");
			});
		});
	}

	async open(): Promise<string> {
		await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
		return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	async close(): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}

let running: RunningServer;
let line: Line;
let url = "";
beforeEach(async () => {
	// its own timers, which look at connections, are the real ones
	running = await startServer({ resumeGraceMs: 10_000 });
	line = new Line(Number(new URL(running.url).port));
	url = await line.open();
	vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] });
});
afterEach(async () => {
	vi.useRealTimers();
	await running.close();
	await line.close();
});
afterAll(() => dispose());

it("a token that has expired lets nobody in, in LiveKit's words; a minute too late is still in time", async () => {
	const jwt = await token("alice", { ttlSeconds: 60 });
	const validate = async (): Promise<unknown[]> => {
		const response = await fetch(`${running.httpUrl}/rtc/validate?access_token=${jwt}`);
		return [response.status, await response.text()];
	};
	expect(await validate()).toEqual([200, "success"]);
	vi.advanceTimersByTime(1.9 * MINUTE_MS);
	expect(await validate()).toEqual([200, "success"]);
	vi.advanceTimersByTime(0.2 * MINUTE_MS);
	const words = "invalid token: token has invalid claims: token is expired";
	expect(await validate()).toEqual([401, words]);
	await expect(new Room().connect(url, jwt)).rejects.toThrow(`401 Unauthorized - ${words}`);
	expect(running.server.stats().participants).toBe(0);
});

it("who is in a room is given tokens in time, and comes back with the last one long after the first has expired", async () => {
	const first = await token("alice", { ttlSeconds: 60 });
	const alice = new Room();
	const refreshed: unknown[] = [];
	alice.on(RoomEvent.TokenRefreshed, () => refreshed.push(0));
	await alice.connect(url, first, { autoSubscribe: true, dynacast: false });
	const tone = await publishTone(alice, 440);
	await until(() => running.server.stats().tracks === 1 && refreshed.length === 1);
	await running.rooms.updateParticipant("lobby", "alice", { metadata: "changed", attributes: { a: "1" } });
	await until(() => refreshed.length === 2);
	// the second is half way through its ten minutes when the third comes
	for (const count of [3, 4, 5]) {
		vi.advanceTimersByTime(5 * MINUTE_MS);
		await until(() => refreshed.length === count);
	}
	vi.advanceTimersByTime(4 * MINUTE_MS);
	const sid = alice.localParticipant?.sid;
	const back = nextEvent(alice, RoomEvent.Reconnected);
	line.cut();
	await back;
	expect(line.tokens.length).toBeGreaterThan(1);
	expect(line.tokens[0]).toBe(first);
	const claims = decodeJwt(line.tokens.at(-1) ?? "");
	expect(claims).toMatchObject({ sub: "alice", metadata: "changed", attributes: { a: "1" }, video: { room: "lobby", roomJoin: true } });
	// made 15 minutes in
	expect(Math.abs((claims.exp ?? 0) - (Date.now() / 1000 + 360))).toBeLessThan(5);
	expect((await running.rooms.getParticipant("lobby", "alice")).sid).toBe(sid);
	expect(running.server.stats()).toMatchObject({ participants: 1, tracks: 1 });
	// the first token is of no use by now
	await expect(new Room().connect(url, first)).rejects.toThrow(/token is expired/);
	await tone.stop();
	await alice.disconnect();
}, 30_000);

it("a token in the place of one that holds for longer holds as long", async () => {
	const alice = new Room();
	const refreshed = nextEvent(alice, RoomEvent.TokenRefreshed);
	const jwt = await token("alice", { ttlSeconds: 6 * 3_600 });
	await alice.connect(url, jwt, { autoSubscribe: true, dynacast: false });
	await refreshed;
	const back = nextEvent(alice, RoomEvent.Reconnected);
	line.cut();
	await back;
	expect(line.tokens.at(-1)).not.toBe(jwt);
	expect(decodeJwt(line.tokens.at(-1) ?? "").exp).toBe(decodeJwt(jwt).exp);
	await alice.disconnect();
}, 30_000);

it("who was moved comes back to the room of the move", async () => {
	const alice = new Room();
	await alice.connect(url, await token("alice", { ttlSeconds: 60 }), { autoSubscribe: true, dynacast: false });
	const sid = alice.localParticipant?.sid;
	await until(async () => (await running.rooms.getParticipant("lobby", "alice")).state === 2);
	const moved = nextEvent(alice, RoomEvent.Moved);
	await running.rooms.moveParticipant("lobby", "alice", "elsewhere");
	await moved;
	vi.advanceTimersByTime(3 * MINUTE_MS);
	const back = nextEvent(alice, RoomEvent.Reconnected);
	line.cut();
	await back;
	expect(decodeJwt(line.tokens.at(-1) ?? "")).toMatchObject({ video: { room: "elsewhere" } });
	expect((await running.rooms.listParticipants("elsewhere")).map((each) => each.sid)).toEqual([sid]);
	expect(await running.rooms.listParticipants("lobby")).toEqual([]);
	await alice.disconnect();
}, 30_000);
