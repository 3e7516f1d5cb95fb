import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { IncomingCall } from "@trunkline/phone";
import { header, parseMessage, type SipMessage } from "@trunkline/sip";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, meanLevel, settle } from "./tones.ts";

const SECOND = 1_000;
/** of +1: the ringback there is 440 and 480 Hz */
const RINGBACK_HZ = 480;
let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_550_700;
const place = () => ({ number: `+${++next}`, room: `early-${next}` });

describe("early media, outbound", () => {
	it.each([false, true])(
		"what the telephone says before it answers is heard in the room, and the room not there; reliably: %s",
		async (reliably) => {
			const { room } = place();
			const agent = await bed.participant(room, "agent");
			await agent.speak(1_000);
			const calls: IncomingCall[] = [];
			const phone = await bed.phone();
			phone.onIncoming((call) => {
				calls.push(call);
				call.tone(1_400, -20);
				void call.earlyMedia({ reliably });
			});
			const trunk = await bed.outbound(phone);
			await bed.settings(trunk, { earlyMedia: { toRoom: true } });
			await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", playDialtone: true });
			await until(() => agent.heardFrom().includes("callee"), "the participant to hear the telephone");
			await settle();
			agent.take("callee");
			await settle(2 * SECOND);
			// Nothing but the telephone: our own ringback has stopped.
			expectTones(agent.take("callee"), 48_000, [1_400], [RINGBACK_HZ, 1_000]);
			const [call] = calls;
			if (call === undefined) throw new Error("no call came");
			expect(call.state).not.toBe("answered");
			expect(call.stats().packetsReceived, "audio to the telephone before it answers").toBe(0);

			await call.answer();
			await settle();
			agent.take("callee");
			call.received.clear();
			await settle(2 * SECOND);
			expectTones(agent.take("callee"), 48_000, [1_400], [RINGBACK_HZ]);
			expectTones(call.received.pcm(), 8_000, [1_000], [1_400]);
			call.hangup();
		},
	);

	it("is not heard unless the trunk wants it: the ringback goes on", async () => {
		const { room } = place();
		const agent = await bed.participant(room, "agent");
		const phone = await bed.phone();
		phone.onIncoming((call) => {
			call.tone(1_400, -20);
			void call.earlyMedia();
		});
		const trunk = await bed.outbound(phone);
		await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", playDialtone: true });
		await until(() => agent.heardFrom().includes("callee"), "the participant to hear the ringback");
		agent.take("callee");
		await settle(5_500);
		const heard = agent.take("callee");
		expect(meanLevel(heard, 48_000, RINGBACK_HZ), "two seconds of ringback in six").toBeGreaterThan(-35);
		expect(meanLevel(heard, 48_000, 1_400)).toBeLessThan(-60);
	});
});

describe("early media, inbound", () => {
	it("the caller hears ringback, then what plays in the room, before anybody answers; then both hear each other", async () => {
		const { number, room } = place();
		const { trunkId } = await bed.inbound(number, room);
		await bed.settings(trunkId, { earlyMedia: { fromRoom: true } });
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(600, -20);
		await until(() => call.stats().packetsReceived > 25, "early media at the telephone");
		expect(call.state).toBe("ringing");

		const player = await bed.participant(room, "player", "ingress");
		await player.speak(1_000);
		await settle(2 * SECOND);
		call.received.clear();
		await settle(2 * SECOND);
		expectTones(call.received.pcm(), 8_000, [1_000], [RINGBACK_HZ, 600]);
		expect(call.state).toBe("ringing");
		expect(meanLevel(player.take("sip_+15551111"), 48_000, 600), "the caller, before the answer").toBeLessThan(-60);

		const agent = await bed.participant(room, "agent");
		await agent.speak(1_400);
		await call.answered();
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		await settle();
		call.received.clear();
		agent.take("sip_+15551111");
		await settle(2 * SECOND);
		expectTones(call.received.pcm(), 8_000, [1_000, 1_400], [600]);
		expectTones(agent.take("sip_+15551111"), 48_000, [600], [1_400]);
		call.hangup();
	});
});

describe("an INVITE without SDP", () => {
	it.each([
		["offer in the 200, answer in the ACK", false],
		["offer in a reliable 180, answer in the PRACK", true],
	])("%s: both hear each other", async (_, reliable) => {
		const { number, room } = place();
		const { trunkId } = await bed.inbound(number, room);
		if (reliable) await bed.settings(trunkId, { reliableProvisional: "required" });
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111", delayedOffer: true, reliable });
		call.tone(600, -20);
		await call.answered();
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		await settle();
		agent.take("sip_+15551111");
		call.received.clear();
		await settle(2 * SECOND);
		expectTones(agent.take("sip_+15551111"), 48_000, [600], [1_000]);
		expectTones(call.received.pcm(), 8_000, [1_000], [600]);
		call.hangup();
	});
});

/** A peer that writes its own messages. */
class Peer {
	readonly received: SipMessage[] = [];
	readonly #socket: Socket;

	static async open(): Promise<Peer> {
		const socket = createSocket("udp4");
		socket.bind(0, "127.0.0.1");
		await once(socket, "listening");
		return new Peer(socket);
	}

	private constructor(socket: Socket) {
		this.#socket = socket;
		socket.on("message", (bytes) => {
			const parsed = parseMessage(bytes);
			if (parsed.ok) this.received.push(parsed.message);
		});
	}

	get port(): number {
		return this.#socket.address().port;
	}

	statuses(method = "INVITE"): number[] {
		return this.received.flatMap((one) => (one.kind === "response" && (header(one, "cseq") ?? "").endsWith(method) ? [one.status] : []));
	}

	send(
		method: string,
		number: string,
		cseq: number,
		options: { toTag?: string; headers?: string[]; body?: string; branch?: string } = {},
	): void {
		const { toTag, headers = [], body = "", branch = `${method}${cseq}` } = options;
		const lines = [
			`${method} ${bed.uri(number)} SIP/2.0`,
			`Via: SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK${branch};rport`,
			"Max-Forwards: 70",
			`From: <sip:+15551111@127.0.0.1:${this.port}>;tag=peer`,
			`To: <${bed.uri(number)}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
			`Call-ID: raw-${this.port}@127.0.0.1`,
			`CSeq: ${cseq} ${method}`,
			`Contact: <sip:peer@127.0.0.1:${this.port}>`,
			...headers,
			...(body === "" ? [] : ["Content-Type: application/sdp"]),
			`Content-Length: ${body.length}`,
		];
		this.#socket.send(`${lines.join("\r\n")}\r\n\r\n${body}`, bed.local.sipPort, "127.0.0.1");
	}

	async close(): Promise<void> {
		this.#socket.close();
		await once(this.#socket, "close");
	}
}

describe("reliable provisional responses (RFC 3262)", () => {
	it("a PRACK that is lost: the 183 comes again, and the 200 after its PRACK has no SDP", async () => {
		const { number, room } = place();
		const { trunkId } = await bed.inbound(number, room);
		await bed.settings(trunkId, { earlyMedia: { fromRoom: true } });
		const peer = await Peer.open();
		const offer = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 39990 RTP/AVP 0", ""].join("\r\n");
		peer.send("INVITE", number, 1, { headers: ["Require: 100rel"], body: offer });
		await until(() => peer.statuses().includes(180), "180");
		const rseqOf = (status: number): string =>
			header(peer.received.findLast((one) => one.kind === "response" && one.status === status) as SipMessage, "rseq") ?? "";
		const toTag = /tag=(\w+)/.exec(header(peer.received.at(-1) as SipMessage, "to") ?? "")?.[1] ?? "";
		// The first PRACK is lost on its way: the 180 comes again.
		await until(() => peer.statuses().filter((status) => status === 180).length > 1, "the 180 again");
		expect(peer.statuses(), "one unacknowledged response at a time").not.toContain(183);
		peer.send("PRACK", number, 2, { toTag, headers: [`RAck: ${rseqOf(180)} 1 INVITE`] });
		await until(() => peer.statuses().includes(183), "183 once the 180 is acknowledged");
		expect(peer.statuses("PRACK")).toEqual([200]);
		expect(Number(rseqOf(183))).toBe(Number(rseqOf(180)) + 1);
		const early = peer.received.findLast((one) => one.kind === "response" && one.status === 183);
		expect(new TextDecoder().decode(early?.body)).toContain("m=audio");

		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		await until(() => peer.statuses().filter((status) => status === 183).length > 1, "the 183 again");
		expect(peer.statuses(), "no 200 before the PRACK").not.toContain(200);
		peer.send("PRACK", number, 3, { toTag, headers: [`RAck: ${rseqOf(183)} 1 INVITE`] });
		await until(() => peer.statuses().includes(200), "200");
		const ok = peer.received.find((one) => one.kind === "response" && one.status === 200 && header(one, "cseq") === "1 INVITE");
		expect(ok?.body).toHaveLength(0);
		peer.send("ACK", number, 1, { toTag, branch: "ack" });
		peer.send("UPDATE", number, 4, { toTag });
		await until(() => peer.statuses("UPDATE").includes(200), "200 to UPDATE");
		peer.send("BYE", number, 5, { toTag });
		await until(() => peer.statuses("BYE").includes(200), "200 to BYE");
		await peer.close();
	});
});
