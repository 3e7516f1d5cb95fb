import { createSocket, type Socket } from "node:dgram";
import { captureLogs, inboundTrunk, MemoryCallStore, MemoryConfigStore, MemoryDialQueue, MemoryTransferStore } from "@trunkline/testkit";
import { afterEach, expect, it, vi } from "vitest";
import { FakeRooms } from "./call/fakes.testkit.ts";
import { MediaNode } from "./wire.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});

async function start(allowedAddresses: string[]) {
	const configStore = new MemoryConfigStore();
	await configStore.createTrunk("project", inboundTrunk({ numbers: ["+15550100"], allowedAddresses }));
	const log = captureLogs();
	const node = await MediaNode.start({
		region: "local",
		projectId: "project",
		sip: { bindHost: "127.0.0.1", port: 0, advertisedHost: "127.0.0.1" },
		rtp: { bindHost: "127.0.0.1", advertisedAddress: "127.0.0.1", portRange: [33_000, 33_098] },
		livekit: { url: "ws://rooms.invalid", apiKey: "key", apiSecret: "a-secret-of-the-room-server" },
		configStore,
		callStore: new MemoryCallStore(),
		dialQueue: new MemoryDialQueue(),
		transferStore: new MemoryTransferStore(),
		strictDispatch: true,
		maxCalls: 10,
		log,
		rooms: new FakeRooms(),
	});
	closing.push(() => node.close(0));
	return { node, log };
}

/** undefined where the system has no such address (macOS has 127.0.0.1 alone). */
async function from(host: string, node: MediaNode) {
	const socket: Socket = createSocket("udp4");
	const bound = await new Promise<boolean>((resolve) => {
		socket.once("error", () => resolve(false));
		socket.bind(0, host, () => resolve(true));
	});
	closing.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
	if (!bound) return undefined;
	const statuses: string[] = [];
	let count = 0;
	socket.on("message", (bytes) => void statuses.push(bytes.toString().slice(8, 11)));
	const send = (method: string, agent = "Phone"): void => {
		count += 1;
		const lines = [
			`${method} sip:+15559999@127.0.0.1 SIP/2.0`,
			`Via: SIP/2.0/UDP ${host}:5060;branch=z9hG4bK${count};rport`,
			`From: <sip:x@${host}>;tag=${count}`,
			"To: <sip:+15559999@127.0.0.1>",
			`Call-ID: ${host}-${count}`,
			`CSeq: 1 ${method}`,
			`Contact: <sip:x@${host}>`,
			`User-Agent: ${agent}`,
			"Content-Length: 0",
		];
		socket.send(`${lines.join("\r\n")}\r\n\r\n`, node.sipPort, "127.0.0.1");
	};
	return { send, statuses };
}

it("a stranger who tries numbers is banned, with one line in the log; others are served", async ({ skip }) => {
	const { node, log } = await start([]);
	const [stranger, phone] = [await from("127.0.0.2", node), await from("127.0.0.1", node)];
	if (stranger === undefined || phone === undefined) return skip();
	for (let i = 0; i < 30; i++) stranger.send("INVITE");
	await vi.waitUntil(() => node.defence().bans === 1, { timeout: 5_000 });
	// The node's answers may still be on their way.
	await vi.waitUntil(() => stranger.statuses.includes("404"), { timeout: 5_000 });
	const before = stranger.statuses.filter((status) => status === "200").length;
	stranger.send("OPTIONS");
	phone.send("OPTIONS");
	await vi.waitUntil(() => phone.statuses.includes("200"), { timeout: 5_000 });
	expect(stranger.statuses.filter((status) => status === "200")).toHaveLength(before);
	expect(node.defence()["dropped-banned"]).toBeGreaterThan(0);
	expect(log.logs.filter(({ message }) => message === "a source is banned")).toHaveLength(1);
});

it("scanners and unknown sources hear nothing when every trunk says who may call", async ({ skip }) => {
	const { node } = await start(["127.0.0.3"]);
	const [stranger, carrier] = [await from("127.0.0.2", node), await from("127.0.0.3", node)];
	if (stranger === undefined || carrier === undefined) return skip();
	await vi.waitUntil(
		() => {
			stranger.send("OPTIONS");
			return node.defence()["dropped-unknown"] > 0;
		},
		{ timeout: 5_000, interval: 50 },
	);
	const heard = stranger.statuses.length;
	stranger.send("INVITE");
	stranger.send("INVITE", "friendly-scanner");
	carrier.send("OPTIONS");
	await vi.waitUntil(() => carrier.statuses.includes("200"), { timeout: 5_000 });
	expect(stranger.statuses).toHaveLength(heard);
	expect(node.defence()["dropped-scanner"]).toBe(1);
});
