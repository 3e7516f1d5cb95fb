import { createSocket } from "node:dgram";
import {
	DisconnectReason,
	JoinRequest,
	LeaveRequest_Action,
	SessionDescription,
	SignalRequest,
	SignalResponse,
	WrappedJoinRequest,
} from "@livekit/protocol";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { type RunningServer, startServer, token, until } from "./testing/harness.ts";
import { WeriftClient, werift } from "./testing/werift-client.ts";

let running: RunningServer;
afterEach(async () => {
	vi.useRealTimers();
	await running.close();
});

/** A WebSocket that joined without an offer, and what the server has said on it. */
async function bareClient(
	identity: string,
	request = new JoinRequest({ connectionSettings: { autoSubscribe: true } }),
): Promise<{ socket: WebSocket; heard: SignalResponse["message"][] }> {
	const wrapped = new WrappedJoinRequest({ joinRequest: request.toBinary() });
	const socket = new WebSocket(
		`${running.url}/rtc/v1?join_request=${Buffer.from(wrapped.toBinary()).toString("base64url")}&access_token=${await token(identity)}`,
	);
	const heard: SignalResponse["message"][] = [];
	socket.on("message", (data) => heard.push(SignalResponse.fromBinary(data as Buffer).message));
	await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
	await until(() => heard.length > 0);
	return { socket, heard };
}

function leaveOf(heard: SignalResponse["message"][]): { reason: DisconnectReason; action: LeaveRequest_Action } | undefined {
	for (const message of heard) if (message.case === "leave") return { reason: message.value.reason, action: message.value.action };
	return undefined;
}

describe("a client that means no good", () => {
	it("that sends what is no SignalRequest is cut off", async () => {
		running = await startServer();
		const { socket } = await bareClient("alice");
		const closed = new Promise<number>((resolve) => socket.once("close", resolve));
		socket.send(Buffer.from([0xff, 0xff, 0xff]));
		expect(await closed).toBe(1003);
		expect(running.server.stats().participants).toBe(0);
	});

	it("that sends a message larger than any is cut off", async () => {
		running = await startServer();
		const { socket } = await bareClient("alice");
		const closed = new Promise<number>((resolve) => socket.once("close", resolve));
		socket.send(Buffer.alloc(600 * 1024));
		expect(await closed).toBe(1009);
		await until(() => running.server.stats().participants === 0);
	});

	it("that offers nonsense has to leave", async () => {
		running = await startServer();
		const { socket, heard } = await bareClient("alice");
		socket.send(
			new SignalRequest({ message: { case: "offer", value: new SessionDescription({ type: "offer", sdp: "v=0\r\nm=audio" }) } }).toBinary(),
		);
		await until(() => leaveOf(heard));
		expect(leaveOf(heard)).toEqual({ reason: DisconnectReason.JOIN_FAILURE, action: LeaveRequest_Action.DISCONNECT });
		expect(running.server.stats()).toMatchObject({ participants: 0, peerConnections: 0 });
	});

	it("that has another DTLS certificate than its description says gets no connection", async () => {
		const failures: unknown[] = [];
		running = await startServer({ log: (_message, fields) => failures.push(fields["reason"]) });
		const forge = (sdp: string): string =>
			sdp.replace(/(a=fingerprint:sha-256 )(..)/g, (_all, name: string, first: string) => name + (first === "00" ? "01" : "00"));
		const client = WeriftClient.connect(running.url, await token("mallory"), [werift.PCMU], 0, forge);
		client.catch(() => undefined);
		await until(() => failures.length > 0);
		expect(failures).toEqual([expect.stringContaining("its certificate is not the one that the SDP announced")]);
		expect(running.server.stats()).toMatchObject({ participants: 0, peerConnections: 0 });
		await expect(client).rejects.toThrow(/timeout/);
	});

	it("can send any datagram to the media port, from a proven address or not", async () => {
		running = await startServer();
		const client = await WeriftClient.connect(running.url, await token("alice"), [werift.PCMU], 0);
		const address = client.remoteCandidate();
		const stranger = createSocket("udp4");
		const send = (packet: Buffer): Promise<void> =>
			new Promise((resolve) => stranger.send(packet, address.port, address.host, () => resolve()));
		const random = (seed: number, length: number): Buffer =>
			Buffer.from(Array.from({ length }, (_, i) => (Math.imul(seed + i, 2_654_435_761) >>> 24) & 0xff));
		for (let seed = 0; seed < 300; seed++) {
			await send(random(seed, seed % 80));
			await client.sendRaw(random(seed, seed % 80));
			// DTLS and RTP shaped
			for (const first of [22, 23, 0x80, 0x90])
				await client.sendRaw(Buffer.concat([Buffer.from([first, 0xfe, 0xfd]), random(seed, seed % 60)]));
		}
		stranger.close();
		expect((await running.rooms.listParticipants("lobby")).map((each) => each.identity)).toEqual(["alice"]);
		const later = await WeriftClient.connect(running.url, await token("bob"), [werift.PCMU], 0);
		expect(later.join.otherParticipants.map((other) => other.identity)).toEqual(["alice"]);
		await Promise.all([client.close(), later.close()]);
	});
});

describe("connections that break", () => {
	it("silent for two rounds, they are given up; a resume is answered with the demand to join anew", async () => {
		vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
		running = await startServer();
		const { heard } = await bareClient("alice");
		vi.advanceTimersByTime(15_000);
		expect(running.server.stats().participants).toBe(1);
		vi.advanceTimersByTime(15_000);
		expect(running.server.stats().participants).toBe(0);
		await until(() => leaveOf(heard));
		expect(leaveOf(heard)).toEqual({ reason: DisconnectReason.CONNECTION_TIMEOUT, action: LeaveRequest_Action.RECONNECT });
		const resumed = await bareClient("alice", new JoinRequest({ reconnect: true, participantSid: "PA_old" }));
		expect(leaveOf(resumed.heard)).toEqual({ reason: DisconnectReason.STATE_MISMATCH, action: LeaveRequest_Action.RECONNECT });
		expect(running.server.stats().participants).toBe(0);
	});

	it("close() of the server tells everybody and frees the ports", async () => {
		running = await startServer({ udpPortRange: [41_870, 41_870] });
		const { socket, heard } = await bareClient("alice");
		const closed = new Promise((resolve) => socket.once("close", resolve));
		await running.server.close();
		await closed;
		expect(leaveOf(heard)?.reason).toBe(DisconnectReason.SERVER_SHUTDOWN);
		expect(running.server.stats()).toEqual({ rooms: 0, participants: 0, peerConnections: 0, tracks: 0 });
		const again = createSocket("udp4");
		await new Promise<void>((resolve, reject) => again.once("error", reject).bind(41_870, "127.0.0.1", resolve));
		again.close();
	});
});
