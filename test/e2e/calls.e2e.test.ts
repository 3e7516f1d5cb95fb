import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
	type CallDetails,
	callDetailsSchema,
	type CallEvent,
	callEventSchema,
	callPageSchema,
	type Explanation,
	type HangUpResult,
} from "@trunkline/contracts";
import type { IncomingCall } from "@trunkline/phone";
import { AccessToken, WebhookReceiver } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { settle } from "./tones.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await api("PUT", "/v1/webhooks", { webhooks: [] });
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_550_700;
/** a number and a room of its own for each test */
const place = () => ({ number: `+${++next}`, room: `calls-${next}` });

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${bed.local.url}${path}`, {
		method,
		headers: { authorization: `Bearer ${await token.toJwt()}` },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	const answer = (await response.json()) as T;
	if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
	return answer;
}

const callOf = (id: string): Promise<CallDetails> => api("GET", `/v1/calls/${id}`);

/** The newest call that a list gives. */
async function newest(query: string): Promise<CallDetails | undefined> {
	const { calls } = callPageSchema.parse(await api("GET", `/v1/calls?${query}&limit=1`));
	return calls[0] && callOf(calls[0].id);
}

async function ended(id: string): Promise<CallDetails> {
	await until(async () => (await callOf(id)).state === "ended", "the call to be ended");
	return callDetailsSchema.parse(await callOf(id));
}

interface Refused {
	numbers?: boolean;
	allowedNumbers?: string[];
	allowedAddresses?: string[];
}

describe("why a call was refused", () => {
	it.each([
		["no trunk names the number", {}, { status: 404, reason: "no-trunk" }],
		["the caller is not allowed", { numbers: true, allowedNumbers: ["+15559999"] }, { status: 404, reason: "no-trunk" }],
		["the address is not allowed", { numbers: true, allowedAddresses: ["198.51.100.0/24"] }, { status: 404, reason: "no-trunk" }],
		["no rule is for the trunk", { numbers: true }, { status: 404, reason: "no-rule" }],
	])("%s: the record says it, and explain says the same", async (_name, { numbers, ...options }: Refused, expected) => {
		const { number } = place();
		if (numbers === true) await bed.sip.createSipInboundTrunk("t", [number], options);
		const began = Date.now();
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		expect(await call.ended()).toMatchObject({ status: expected.status });

		await until(async () => (await newest(`state=ended&since=${began}`))?.to === number, "the record of the call");
		const record = await newest(`state=ended&since=${began}`);
		const explained = await api<Explanation>("POST", "/v1/explain", { from: "+15551111", to: number, source: "127.0.0.1" });
		expect(explained).toMatchObject({ outcome: "refused", sip: { status: expected.status }, endReason: expected.reason });
		expect(record?.decision).toEqual({ summary: explained.summary, steps: explained.steps });
		expect(record?.end).toMatchObject({ by: "node", reason: expected.reason, sipStatus: expected.status });
		expect(explained.summary).toContain(`SIP ${expected.status} ${explained.sip.reason}`);
	});

	it("a rule with a PIN: explain says that the caller is asked, what comes of the right and of a wrong one, and never the PIN", async () => {
		const { number, room } = place();
		const pin = "735124680913";
		const trunk = await bed.sip.createSipInboundTrunk("t", [number]);
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin }, { name: "r", trunkIds: [trunk.sipTrunkId] });
		const explain = (entered?: string): Promise<Explanation> =>
			api("POST", "/v1/explain", {
				from: "+15551111",
				to: number,
				source: "127.0.0.1",
				...(entered === undefined ? {} : { pin: entered }),
			});
		const asked = await explain();
		expect(asked).toMatchObject({ asksForPin: true, endReason: "wrong-pin" });
		expect(asked.summary).toContain("the call is answered, and the caller is asked for it");
		expect(await explain(pin)).toMatchObject({ outcome: "accepted", room: { name: room } });
		const wrong = await explain("1111");
		expect(wrong).toMatchObject({ outcome: "refused", endReason: "wrong-pin" });
		expect(JSON.stringify([asked, wrong])).not.toContain(pin);
	});

	it("a call that is taken: the record has the trunk, rule, room and identity that explain told", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const explained = await api<Explanation>("POST", "/v1/explain", { from: "+15551111", to: number, source: "127.0.0.1" });
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await until(async () => (await newest(`room=${room}`))?.state === "ringing", "the record of the call");
		const record = await newest(`room=${room}`);
		expect(record).toMatchObject({
			direction: "inbound",
			trunkId: explained.trunk?.id,
			ruleId: explained.rule?.id,
			roomName: explained.room?.name,
			participant: { identity: explained.participant?.identity, id: expect.stringMatching(/^PA_/) },
			decision: { summary: explained.summary, steps: explained.steps },
		});
		call.cancel();
		expect((await ended(record?.id ?? "")).end).toMatchObject({ by: "peer", reason: "cancelled" });
	});
});

describe("hanging up", () => {
	it("an inbound call that rings: 603", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await until(async () => (await newest(`room=${room}&state=ringing`)) !== undefined, "the record of the call");
		const { id = "" } = (await newest(`room=${room}`)) ?? {};
		const result = await api<HangUpResult>("POST", `/v1/calls/${id}/hangup`);
		expect(result).toMatchObject({ outcome: "ended", call: { state: "ended", end: { by: "api", reason: "declined", sipStatus: 603 } } });
		expect(await call.ended()).toMatchObject({ status: 603 });
	});

	it("an inbound call that is active: BYE, once, however often it is asked for", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(async () => (await newest(`room=${room}&state=active`)) !== undefined, "the call to be active");
		const { id = "" } = (await newest(`room=${room}&state=live`)) ?? {};
		const results = await Promise.all([1, 2, 3].map(() => api<HangUpResult>("POST", `/v1/calls/${id}/hangup`)));
		for (const result of results)
			expect(result.call.end).toMatchObject({ by: "api", reason: "hangup", text: "hung up (ended by the API)" });
		expect(await call.ended()).toMatchObject({ by: "remote" });
		await until(() => agent.left.includes("sip_+15551111"), "the participant to leave");
		expect((await callOf(id)).timeline.map(({ event }) => event)).toEqual(["received", "joined-room", "answered", "ended"]);
		expect(await api("POST", `/v1/calls/${id}/hangup`)).toMatchObject({ outcome: "already-ended" });
		expect(await newest(`room=${room}&state=live`)).toBeUndefined();
	});

	it("an outbound call that rings: CANCEL", async () => {
		const { room } = place();
		const phone = await bed.phone();
		const calls: IncomingCall[] = [];
		phone.onIncoming((call) => {
			calls.push(call);
			call.ring();
		});
		const trunk = await bed.outbound(phone);
		const { sipCallId } = await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee" });
		await until(async () => (await callOf(sipCallId)).state === "ringing", "ringing");
		const result = await api<HangUpResult>("POST", `/v1/calls/${sipCallId}/hangup`);
		expect(result).toMatchObject({
			outcome: "ended",
			call: { direction: "outbound", trunkId: trunk, end: { by: "api", reason: "cancelled" } },
		});
		expect(await calls[0]?.ended()).toMatchObject({ by: "remote" });
	});

	it("an outbound call that is active: BYE", async () => {
		const { room } = place();
		const phone = await bed.phone();
		const calls: IncomingCall[] = [];
		phone.onIncoming((call) => {
			calls.push(call);
			void call.answer();
		});
		const trunk = await bed.outbound(phone);
		const { sipCallId } = await bed.sip.createSipParticipant(trunk, "+15550199", room, {
			participantIdentity: "callee",
			waitUntilAnswered: true,
		});
		expect(await api("POST", `/v1/calls/${sipCallId}/hangup`)).toMatchObject({
			outcome: "ended",
			call: { end: { by: "api", reason: "hangup" } },
		});
		expect(await calls[0]?.ended()).toMatchObject({ by: "remote" });
	});
});

/** A receiver of webhooks that verifies them as LiveKit's users do, and can be taken down. */
class Hooks {
	readonly got: CallEvent[] = [];
	readonly refused: CallEvent[] = [];
	up = true;
	readonly #server: Server;
	readonly #receiver = new WebhookReceiver(bed.access.apiKey, bed.access.apiSecret);

	static async open(): Promise<Hooks> {
		const hooks = new Hooks();
		hooks.#server.listen(0, "127.0.0.1");
		await once(hooks.#server, "listening");
		return hooks;
	}

	private constructor() {
		this.#server = createServer((request, response) => {
			let body = "";
			request.on("data", (chunk) => {
				body += String(chunk);
			});
			request.on("end", () => {
				void this.#take(body, request.headers.authorization).then((status) => response.writeHead(status).end());
			});
		});
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
	}

	of(callId: string): string[] {
		return this.got.filter(({ call }) => call.id === callId).map(({ event }) => event);
	}

	close(): void {
		this.#server.closeAllConnections();
		this.#server.close();
	}

	async #take(body: string, authorization: string | undefined): Promise<number> {
		const { event, id }: { event: string; id: string } = await this.#receiver.receive(body, authorization);
		const whole = callEventSchema.parse(JSON.parse(body));
		if (whole.event !== event || whole.id !== id) return 500;
		if (!this.up) {
			this.refused.push(whole);
			return 503;
		}
		this.got.push(whole);
		return 200;
	}
}

describe("webhooks", () => {
	let hooks: Hooks;
	afterEach(() => hooks.close());

	async function wholeCall(): Promise<{ id: string; hangup: () => void; press: (digits: string) => void }> {
		const { number, room } = place();
		await bed.inbound(number, room);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		await call.answered();
		await until(async () => (await newest(`room=${room}&state=active`)) !== undefined, "the call to be active");
		return { id: (await newest(`room=${room}`))?.id ?? "", hangup: () => call.hangup(), press: (digits) => call.sendDtmf(digits) };
	}
	const ALL = ["call.started", "call.ringing", "call.answered", "call.ended"];

	it("tell of an inbound call in order, signed, while it happens", async () => {
		hooks = await Hooks.open();
		await api("PUT", "/v1/webhooks", { webhooks: [{ url: hooks.url }] });
		const { id, hangup } = await wholeCall();
		await until(() => hooks.of(id).length === 3, "three events");
		expect(hooks.of(id)).toEqual(ALL.slice(0, 3));
		hangup();
		await until(() => hooks.of(id).length === 4, "four events");
		expect(hooks.of(id)).toEqual(ALL);
		const record = await callOf(id);
		expect(hooks.got.at(-1)).toMatchObject({
			event: "call.ended",
			room: { name: record.roomName },
			participant: { identity: "sip_+15551111", sid: record.participant.id },
			call: {
				id,
				state: "ended",
				trunkId: record.trunkId,
				end: { by: "peer", reason: "hangup", text: "hung up (ended by the telephone side)" },
			},
		});
	});

	it("come in order, each once, to a receiver that was down", async () => {
		hooks = await Hooks.open();
		hooks.up = false;
		await api("PUT", "/v1/webhooks", { webhooks: [{ url: hooks.url }] });
		const { id, hangup } = await wholeCall();
		hangup();
		await ended(id);
		const attempts = (): string[] => hooks.refused.filter(({ call }) => call.id === id).map(({ event }) => event);
		await until(() => attempts().length >= 2, "a second attempt");
		expect(hooks.got).toEqual([]);
		// What comes later waits for what came first.
		expect(new Set(attempts())).toEqual(new Set(["call.started"]));
		hooks.up = true;
		await until(() => hooks.of(id).length === 4, "all events", 15_000);
		expect(hooks.of(id)).toEqual(ALL);
		expect(new Set(hooks.got.filter(({ call }) => call.id === id).map((event) => event.id)).size).toBe(4);
	});

	it("digits only when they were asked for; otherwise they are on no record either", async () => {
		hooks = await Hooks.open();
		await api("PUT", "/v1/webhooks", { webhooks: [{ url: hooks.url }] });
		const quiet = await wholeCall();
		quiet.press("12");
		await settle(800);
		quiet.hangup();
		expect((await ended(quiet.id)).timeline.map(({ event }) => event)).not.toContain("dtmf");

		await api("PUT", "/v1/webhooks", { webhooks: [{ url: hooks.url, events: ["call.dtmf"] }] });
		const told = await wholeCall();
		told.press("4#");
		await until(() => hooks.of(told.id).length === 2, "two digits");
		told.hangup();
		expect(hooks.got.filter(({ call }) => call.id === told.id)).toMatchObject([
			{ event: "call.dtmf", detail: "4", call: { state: "active" } },
			{ event: "call.dtmf", detail: "#" },
		]);
	});

	it("only those that were asked for", async () => {
		hooks = await Hooks.open();
		await api("PUT", "/v1/webhooks", { webhooks: [{ url: hooks.url, events: ["call.ended"] }] });
		const phone = await bed.phone();
		const { number } = place();
		await (await phone.call(bed.uri(number), { from: "+15551111" })).ended();
		const ofThisCall = (): CallEvent[] => hooks.got.filter(({ call }) => call.to === number);
		await until(() => ofThisCall().length > 0, "the event");
		expect(ofThisCall()).toHaveLength(1);
		expect(ofThisCall()[0]).toMatchObject({ event: "call.ended", call: { end: { reason: "no-trunk", sipStatus: 404 } } });
		expect(ofThisCall()[0]).not.toHaveProperty("room");
	});
});
