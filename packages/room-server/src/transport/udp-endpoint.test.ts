import { createHmac } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { bindingRequest } from "@trunkline/testkit/stun";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type IcePeer, UdpEndpoint } from "./udp-endpoint.ts";

describe("UdpEndpoint", () => {
	let endpoint: UdpEndpoint;
	let client: Socket;
	let events: string[];
	let peer: IcePeer;

	beforeEach(async () => {
		events = [];
		endpoint = await UdpEndpoint.open("127.0.0.1", undefined);
		peer = {
			ufrag: "ours",
			hmac: (message, tail) => createHmac("sha1", "the password").update(message).update(tail).digest(),
			onPacket: (packet) => events.push(`packet ${packet.toString("hex")}`),
			onCheck: (address, _port, nominated) => events.push(`check ${address} ${nominated}`),
		};
		endpoint.attach(peer);
		client = createSocket("udp4");
		client.on("message", (packet) => events.push(`answer ${packet.toString("hex", 0, 2)} ${packet.toString("hex", 8, 20)}`));
	});
	afterEach(() => {
		client.close();
		endpoint.close();
	});

	/** Sends, then waits until a last, right request was answered: by then all before it have been handled. */
	async function send(...packets: Buffer[]): Promise<string[]> {
		const last = bindingRequest("ours:end", "the password", false);
		last.write("end of test.", 8);
		const marker = Buffer.from("end of test.").toString("hex");
		const mac = createHmac("sha1", "the password")
			.update(last.subarray(0, last.length - 24))
			.digest();
		mac.copy(last, last.length - 20);
		for (const packet of [...packets, last]) client.send(packet, endpoint.port, "127.0.0.1");
		while (!events.some((event) => event.endsWith(marker))) await new Promise((resolve) => setTimeout(resolve, 2));
		// the last request's own check and answer say nothing
		return events.filter((event) => event !== "check 127.0.0.1 false" && !event.startsWith(`answer 0101 ${marker}`));
	}

	it("answers a right check and lets that address's packets through from then on", async () => {
		expect(
			await send(Buffer.from("800102", "hex"), bindingRequest("ours:theirs", "the password", true), Buffer.from("800103", "hex")),
		).toEqual(expect.arrayContaining(["check 127.0.0.1 true", "answer 0101 000102030405060708090a0b", "packet 800103"]));
		expect(events).not.toContain("packet 800102");
	});

	it.each([
		["a wrong password", bindingRequest("ours:theirs", "another", true)],
		["somebody else's name", bindingRequest("others:theirs", "the password", true)],
	])("is silent to %s, and takes nothing from that address", async (_what, request) => {
		expect(await send(request, Buffer.from("800103", "hex"))).toEqual([]);
	});

	it("takes nothing more once the peer has gone", async () => {
		await send(bindingRequest("ours:theirs", "the password", true));
		events.length = 0;
		endpoint.detach(peer);
		endpoint.attach({ ...peer, ufrag: "ours", onPacket: () => events.push("wrong peer") });
		expect(await send(Buffer.from("800104", "hex"))).toEqual([]);
	});

	it("says which range has no free port", async () => {
		await expect(UdpEndpoint.open("127.0.0.1", [endpoint.port, endpoint.port])).rejects.toThrow(
			`no free UDP port in ${endpoint.port}-${endpoint.port}`,
		);
	});
});
