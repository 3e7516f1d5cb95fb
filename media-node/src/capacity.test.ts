import { createSocket, type Socket } from "node:dgram";
import {
	captureLogs,
	dispatchRule,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryTransferStore,
} from "@trunkline/testkit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeRooms } from "./call/fakes.testkit.ts";
import { MediaNode, type MediaNodeOptions } from "./wire.ts";

const NUMBER = "+15550100";
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});

async function start(changes: Partial<MediaNodeOptions>, trunk: Parameters<typeof inboundTrunk>[0] = {}): Promise<MediaNode> {
	const configStore = new MemoryConfigStore();
	await configStore.createTrunk("project", inboundTrunk({ numbers: [NUMBER], ...trunk }));
	await configStore.createRule("project", dispatchRule());
	const node = await MediaNode.start({
		region: "local",
		projectId: "project",
		sip: { bindHost: "127.0.0.1", port: 0, advertisedHost: "127.0.0.1" },
		rtp: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [32_000, 32_998] },
		livekit: { url: "ws://rooms.invalid", apiKey: "key", apiSecret: "a-secret-of-the-room-server" },
		configStore,
		callStore: new MemoryCallStore(),
		dialQueue: new MemoryDialQueue(),
		transferStore: new MemoryTransferStore(),
		strictDispatch: true,
		maxCalls: 1_000,
		log: captureLogs(),
		rooms: new FakeRooms(),
		...changes,
	});
	closing.push(() => node.close(0));
	return node;
}

/** Sends INVITEs from one socket; gives what came for each Call-ID. */
async function caller() {
	const socket: Socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
	closing.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
	const answers = new Map<string, string[]>();
	const retryAfter: string[] = [];
	socket.on("message", (bytes) => {
		const text = bytes.toString();
		const callId = /^Call-ID: (.*)$/im.exec(text)?.[1]?.trim() ?? "";
		const status = text.slice(8, 11);
		answers.set(callId, [...(answers.get(callId) ?? []), status]);
		if (status === "503") retryAfter.push(/^Retry-After: (\d+)/im.exec(text)?.[1] ?? "none");
	});
	const sdp = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 39999 RTP/AVP 0", ""].join("\r\n");
	const send = (node: MediaNode, callId: string, method = "INVITE"): void => {
		const body = method === "INVITE" ? sdp : "";
		const lines = [
			`${method} sip:${NUMBER}@127.0.0.1 SIP/2.0`,
			`Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${callId};rport`,
			"Max-Forwards: 70",
			`From: <sip:+15551111@127.0.0.1>;tag=${callId}`,
			`To: <sip:${NUMBER}@127.0.0.1>`,
			`Call-ID: ${callId}`,
			`CSeq: 1 ${method}`,
			`Contact: <sip:+15551111@127.0.0.1:${socket.address().port}>`,
			...(body === "" ? [] : ["Content-Type: application/sdp"]),
			`Content-Length: ${body.length}`,
		];
		socket.send(`${lines.join("\r\n")}\r\n\r\n${body}`, node.sipPort, "127.0.0.1");
	};
	const withStatus = (status: string): number => [...answers.values()].filter((statuses) => statuses.includes(status)).length;
	const arrived = (count: number) =>
		vi.waitUntil(() => [...answers.values()].filter((statuses) => statuses.some((status) => status !== "100")).length >= count, {
			timeout: 10_000,
		});
	return { send, answers, withStatus, arrived, retryAfter };
}

describe("overload, exact at the cap", () => {
	it("250 calls are the limit and 375 are offered at once: 250 are taken, 125 get 503 with Retry-After", async () => {
		const node = await start({ maxCalls: 250, overloadMs: 60_000 });
		const { send, withStatus, arrived, retryAfter } = await caller();
		for (let i = 0; i < 375; i++) send(node, `c${i}`);
		await arrived(375);
		expect([withStatus("180"), withStatus("503")]).toEqual([250, 125]);
		expect(node.stats().calls).toBe(250);
		expect(new Set(retryAfter)).toEqual(new Set(["10"]));
	});

	it("a trunk's limit: as many calls as it says, the others get 503 and never 486", async () => {
		const node = await start({ overloadMs: 60_000 }, { settings: { limits: { concurrentCalls: 3 } } });
		const { send, withStatus, arrived, retryAfter } = await caller();
		for (let i = 0; i < 10; i++) send(node, `t${i}`);
		await arrived(10);
		expect([withStatus("180"), withStatus("503"), withStatus("486")]).toEqual([3, 7, 0]);
		expect(retryAfter).toContain("5");
		expect(node.stats().calls).toBe(3);
	});

	it("a node whose event loop is late takes no new call as long as it has some", async () => {
		const node = await start({ overloadMs: -1 });
		const { send, withStatus, arrived } = await caller();
		send(node, "first");
		await arrived(1);
		await vi.waitUntil(() => withStatus("180") === 1);
		send(node, "second");
		await arrived(2);
		expect(withStatus("503")).toBe(1);
	});

	it("a draining node answers new INVITEs and OPTIONS with 503", async () => {
		const node = await start({});
		const { send, answers, arrived } = await caller();
		const drained = node.drain(0);
		send(node, "invite");
		send(node, "options", "OPTIONS");
		await arrived(2);
		await drained;
		expect([...answers.values()].map((statuses) => statuses.at(-1))).toEqual(["503", "503"]);
	});
});
