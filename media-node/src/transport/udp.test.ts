import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it, test } from "vitest";
import type { Address } from "@trunkline/sip";
import { type DatagramListener, type DatagramTransport, openUdp } from "./udp.ts";

const open: DatagramTransport[] = [];
afterEach(async () => {
	for (const transport of open.splice(0)) await transport.close();
});

interface Heard {
	messages: { text: string; from: Address }[];
	unreachable: { to: Address; message: string }[];
	/** resolves with the next message or report */
	next(): Promise<void>;
}

async function listening(host = "127.0.0.1", port = 0): Promise<{ transport: DatagramTransport; heard: Heard }> {
	let wake = (): void => {};
	const heard: Heard = {
		messages: [],
		unreachable: [],
		next: () => new Promise((resolve) => (wake = resolve)),
	};
	const listener: DatagramListener = {
		onMessage: (bytes, from) => {
			heard.messages.push({ text: new TextDecoder().decode(bytes), from });
			wake();
		},
		onUnreachable: (to, message) => {
			heard.unreachable.push({ to, message });
			wake();
		},
	};
	const transport = await openUdp(host, port, listener);
	open.push(transport);
	return { transport, heard };
}

const at = (transport: DatagramTransport): Address => ({ ...transport.local, transport: "UDP" });
const bytes = (text: string) => new TextEncoder().encode(text);

describe("UDP", () => {
	it("carries datagrams, and says where they came from", async () => {
		const [a, b] = [await listening(), await listening()];
		const arrived = b.heard.next();
		a.transport.send(bytes("OPTIONS"), at(b.transport));
		await arrived;
		expect(b.heard.messages).toEqual([{ text: "OPTIONS", from: { host: "127.0.0.1", port: a.transport.local.port, transport: "UDP" } }]);
	});

	it("rejects with the system's error when the port is taken, and leaves nothing open", async () => {
		const { transport } = await listening();
		await expect(listening("127.0.0.1", transport.local.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
	});

	test.each<[string, Address]>([
		["port 0, which a peer's Via may name", { host: "127.0.0.1", port: 0, transport: "UDP" }],
		["a port beyond all", { host: "127.0.0.1", port: 70_000, transport: "UDP" }],
		["a name instead of an address", { host: "not-an-address.invalid", port: 5060, transport: "UDP" }],
		["an address of the other family", { host: "::1", port: 5060, transport: "UDP" }],
	])("%s is reported, not thrown, and the socket goes on", async (_, to) => {
		const [a, b] = [await listening(), await listening()];
		const reported = a.heard.next();
		a.transport.send(bytes("lost"), to);
		expect(a.heard.unreachable).toEqual([]);
		await reported;
		expect(a.heard.unreachable).toMatchObject([{ to, message: expect.stringMatching(/./) }]);
		const arrived = b.heard.next();
		a.transport.send(bytes("here"), at(b.transport));
		await arrived;
		expect(b.heard.messages.map(({ text }) => text)).toEqual(["here"]);
	});

	it("a datagram too large for UDP is reported", async () => {
		const [a, b] = [await listening(), await listening()];
		const reported = a.heard.next();
		a.transport.send(new Uint8Array(70_000), at(b.transport));
		await reported;
		expect(a.heard.unreachable).toHaveLength(1);
	});

	it("an empty datagram is a message like any other", async () => {
		const { transport, heard } = await listening();
		const stranger = createSocket("udp4");
		const arrived = heard.next();
		stranger.send("", transport.local.port, "127.0.0.1");
		await arrived;
		expect(heard.messages.map(({ text }) => text)).toEqual([""]);
		stranger.close();
		await once(stranger, "close");
	});

	it("closing is idempotent, ends when the socket is closed, and nothing is sent or reported after it", async () => {
		const { transport, heard } = await listening();
		await Promise.all([transport.close(), transport.close()]);
		transport.send(bytes("late"), { host: "127.0.0.1", port: 0, transport: "UDP" });
		await new Promise((resolve) => setImmediate(resolve));
		expect(heard.unreachable).toEqual([]);
		// The port is free again.
		await listening("127.0.0.1", transport.local.port);
	});
});
