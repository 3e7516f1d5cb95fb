import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { type Address, SipEndpoint, type SipEvent, type SipInput } from "@trunkline/sip";
import { nodeHashes } from "./sim-net.ts";
import { vi } from "vitest";

/** A user agent on loopback whose packets go where the test says, as behind a load balancer whose flows move. */
export class SipPeer {
	readonly events: SipEvent[] = [];
	readonly port: number;
	/** where packets go instead; unset = where they are sent */
	redirect: (to: Address, bytes: Uint8Array) => number = (to) => to.port;
	readonly #socket: Socket;
	readonly #endpoint: SipEndpoint;
	#timer: NodeJS.Timeout | undefined;

	static async open(): Promise<SipPeer> {
		const socket = createSocket("udp4");
		await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
		return new SipPeer(socket);
	}

	private constructor(socket: Socket) {
		this.#socket = socket;
		this.port = socket.address().port;
		this.#endpoint = new SipEndpoint({
			userAgent: "peer",
			contact: { host: "127.0.0.1", port: this.port },
			random: randomBytes,
			hashes: nodeHashes,
			supported: ["100rel"],
		});
		socket.on("message", (bytes, from) =>
			this.handle({ kind: "received", bytes, remote: { host: from.address, port: from.port, transport: "UDP" } }),
		);
	}

	handle(input: SipInput): void {
		this.#endpoint.handle(input, performance.now());
		this.#drain();
	}

	call(leg: string, node: number, { reliable = false } = {}): void {
		const uri = `sip:+15550100@127.0.0.1:${node}`;
		this.handle({
			kind: "call",
			leg,
			requestUri: uri,
			from: { uri: "sip:+15551111@127.0.0.1" },
			to: { uri },
			target: { host: "127.0.0.1", port: node, transport: "UDP" },
			body: this.offer(),
			...(reliable ? { reliable } : {}),
		});
	}

	offer(direction = "sendrecv"): { contentType: string; bytes: Uint8Array } {
		const sdp = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=${direction}\r\n`;
		return { contentType: "application/sdp", bytes: new TextEncoder().encode(sdp) };
	}

	/** The next event of the type (and leg), waiting for it. */
	async event<T extends SipEvent["type"]>(type: T, leg?: string, nth = 1): Promise<Extract<SipEvent, { type: T }>> {
		const found = (): Extract<SipEvent, { type: T }> | undefined =>
			this.events.filter(
				(one): one is Extract<SipEvent, { type: T }> => one.type === type && (leg === undefined || ("leg" in one && one.leg === leg)),
			)[nth - 1];
		await vi.waitUntil(() => found() !== undefined, { timeout: 8_000, interval: 5 });
		const event = found();
		if (event === undefined) throw new Error(`no ${type}`);
		return event;
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#socket.close();
	}

	#drain(): void {
		for (let output = this.#endpoint.pollOutput(); output !== undefined; output = this.#endpoint.pollOutput()) {
			if (output.kind === "event") this.events.push(output.event);
			else this.#socket.send(output.bytes, this.redirect(output.to, output.bytes), output.to.host);
		}
		clearTimeout(this.#timer);
		const next = this.#endpoint.nextTimeout();
		if (next === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#endpoint.handleTimeout(performance.now());
				this.#drain();
			},
			Math.max(0, next - performance.now()),
		);
	}
}
