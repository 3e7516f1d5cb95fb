import { measureTone } from "@trunkline/audio";
import { type CallDetails, callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { IncomingCall, OutgoingCall, Phone, Referral } from "@trunkline/phone";
import { header } from "@trunkline/sip";
import { AccessToken, SipCallError } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Participant } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

const ROOM_HZ = 1_000;
const CALLER_HZ = 440;
/** with 440 Hz it is the ringback of +1 (ITU-T E.180) */
const RINGBACK_HZ = 480;

let next = 15_550_800;

interface Setting {
	room: string;
	agent: Participant;
	phone: Phone;
	call: OutgoingCall;
	identity: string;
	referrals: Referral[];
	/** the caller's new call, when it follows */
	followed: OutgoingCall[];
}

/** A caller who is talking with somebody in a room; `onReferral` is what his telephone does when it is told to call somebody else. */
async function talking(onReferral: (referral: Referral, followed: (call: OutgoingCall) => void) => void): Promise<Setting> {
	const number = `+${++next}`;
	const room = `transfer-${next}`;
	await bed.inbound(number, room);
	const agent = await bed.participant(room, "agent");
	await agent.speak(ROOM_HZ);
	const phone = await bed.phone({ username: "+15559999" });
	const referrals: Referral[] = [];
	const followed: OutgoingCall[] = [];
	phone.onReferral((referral) => {
		referrals.push(referral);
		onReferral(referral, (one) => followed.push(one));
	});
	const call = await phone.call(bed.uri(number), { timeoutMs: 10_000 });
	call.tone(CALLER_HZ, -20);
	await call.answered();
	const active = (): boolean => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active");
	await until(active, "the call to be active");
	return { room, agent, phone, call, identity: "sip_+15559999", referrals, followed };
}

/** Calls the target as asked, and says the caller's tone there. */
const follow = (referral: Referral, followed: (call: OutgoingCall) => void, gateway?: string): void => {
	void referral.follow({ ...(gateway !== undefined && { gateway }), onCall: (call) => call.tone(CALLER_HZ, -20) }).then(followed);
};

async function target(behaviour: (call: IncomingCall) => void): Promise<{ uri: string; address: string; calls: IncomingCall[] }> {
	const phone = await bed.phone();
	const calls: IncomingCall[] = [];
	phone.onIncoming((call) => {
		calls.push(call);
		behaviour(call);
	});
	const address = `127.0.0.1:${phone.port}`;
	return { uri: `sip:+15550142@${address}`, address, calls };
}

const answer = (call: IncomingCall): void => {
	call.ring();
	void call.answer();
};

/** The call goes on: its caller hears the room, and not ringback. */
async function expectRoomHeard({ call }: Setting): Promise<void> {
	expect(call.state).toBe("answered");
	await settle();
	call.received.clear();
	await settle(1_500);
	expectTones(call.received.pcm(), 8_000, [ROOM_HZ], [RINGBACK_HZ]);
}

async function failure(promise: Promise<unknown>): Promise<SipCallError> {
	const error: unknown = await promise.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(Error);
	return error as SipCallError;
}

async function record(room: string): Promise<CallDetails> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const get = async (path: string): Promise<unknown> => {
		const response = await fetch(`${bed.local.url}${path}`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
		return response.json();
	};
	const { calls } = callPageSchema.parse(await get(`/v1/calls?room=${room}&limit=1`));
	return callDetailsSchema.parse(await get(`/v1/calls/${calls[0]?.id}`));
}
const events = ({ timeline }: CallDetails): string[] =>
	timeline.map(({ event, detail }) => (detail === undefined ? event : `${event} ${detail}`));

describe("a transfer that succeeds", () => {
	it("the target gets the call, hears the caller, and the participant leaves", async () => {
		const s = await talking(follow);
		const { uri, calls } = await target(answer);
		await bed.sip.transferSipParticipant(s.room, s.identity, uri, { headers: { "X-Order": "4711" } });
		const [call] = calls;
		if (call === undefined) throw new Error("the target got no call");
		await until(() => call.state === "answered", "the target to be connected");
		const [referral] = s.referrals;
		if (referral === undefined) throw new Error("no REFER came");
		expect(header(referral.request, "refer-to")).toBe(`<${uri}>`);
		expect(header(referral.request, "x-order")).toBe("4711");
		expect(header(referral.request, "referred-by")).toMatch(/^<sip:\+1555/);
		await settle();
		call.received.clear();
		await settle(1_000);
		expectTones(call.received.pcm(), 8_000, [CALLER_HZ], [ROOM_HZ]);
		await until(() => s.agent.left.includes(s.identity), "the participant to leave");
		expect(s.call.end).toMatchObject({ answered: true });
		await until(async () => (await record(s.room)).state === "ended", "the call to be ended");
		const ended = await record(s.room);
		expect(events(ended).slice(-3)).toEqual([`transfer-requested ${uri}`, `transferred ${uri}`, "ended transferred"]);
		expect(ended.end).toMatchObject({ by: "api", reason: "transferred" });
	});

	it("the telephone tells that it is done and does not hang up: we do, a second later", async () => {
		const s = await talking((referral) => {
			referral.accept();
			referral.notify(100);
			referral.notify(200);
		});
		await bed.sip.transferSipParticipant(s.room, s.identity, "sip:+15550142@127.0.0.1:9");
		const told = performance.now();
		expect(s.call.state).toBe("answered");
		await until(() => s.call.state === "ended", "our BYE");
		expect(s.call.end).toMatchObject({ by: "remote", answered: true });
		expect(performance.now() - told).toBeGreaterThan(500);
	});

	it("202 and BYE without a NOTIFY", async () => {
		const s = await talking((referral) => {
			referral.accept();
			setTimeout(() => referral.call.hangup(), 200);
		});
		await bed.sip.transferSipParticipant(s.room, s.identity, "sip:+15550142@127.0.0.1:9");
		await until(() => s.agent.left.includes(s.identity), "the participant to leave");
		expect((await record(s.room)).end).toMatchObject({ reason: "transferred" });
	});

	it("to a tel: URI, which is sent as it is", async () => {
		const { address, calls } = await target(answer);
		const s = await talking((referral, followed) => follow(referral, followed, address));
		await bed.sip.transferSipParticipant(s.room, s.identity, "tel:+15550142");
		expect(s.referrals.map(({ request }) => header(request, "refer-to"))).toEqual(["tel:+15550142"]);
		await until(() => calls[0]?.state === "answered", "the target to be connected");
		expect(calls[0]?.to).toBe("+15550142");
	});

	it("of an outbound call", async () => {
		const room = `transfer-${++next}`;
		await bed.participant(room, "agent");
		const phone = await bed.phone();
		phone.onIncoming(answer);
		phone.onReferral((referral) => void referral.follow());
		const { uri, calls } = await target(answer);
		await bed.sip.createSipParticipant(await bed.outbound(phone), "+15550199", room, {
			participantIdentity: "callee",
			waitUntilAnswered: true,
		});
		await bed.sip.transferSipParticipant(room, "callee", uri);
		expect(calls).toHaveLength(1);
	});

	it("asked for twice at once it is one REFER", async () => {
		const s = await talking((referral) => {
			referral.accept();
			setTimeout(() => referral.notify(200), 600);
		});
		const transfer = () => bed.sip.transferSipParticipant(s.room, s.identity, "tel:+15550142");
		const elsewhere = settle(300).then(() => failure(bed.sip.transferSipParticipant(s.room, s.identity, "tel:+15550143")));
		await Promise.all([transfer(), transfer()]);
		expect(s.referrals).toHaveLength(1);
		expect(await elsewhere).toMatchObject({
			code: "invalid_argument",
			message: expect.stringContaining("call already being transferred elsewhere"),
		});
	});
});

describe("a transfer that fails leaves the call as it was", () => {
	it("the telephone refuses the REFER: 603", async () => {
		const s = await talking((referral) => referral.reject(603, "Decline"));
		const error = await failure(bed.sip.transferSipParticipant(s.room, s.identity, "tel:+15550142"));
		expect(error).toBeInstanceOf(SipCallError);
		expect(error).toMatchObject({ sipStatusCode: 603, sipStatus: "Decline" });
		await expectRoomHeard(s);
		expect(events(await record(s.room)).slice(-2)).toEqual(["transfer-requested tel:+15550142", "transfer-failed 603 Decline"]);
	});

	it("the target is busy", async () => {
		const s = await talking(follow);
		const { uri, calls } = await target((call) => call.reject(486, "Busy Here"));
		const error = await failure(bed.sip.transferSipParticipant(s.room, s.identity, uri));
		expect(error).toMatchObject({ sipStatusCode: 486, sipStatus: "Busy Here", code: "resource_exhausted" });
		expect(calls).toHaveLength(1);
		await expectRoomHeard(s);
	});

	it("nobody answers in time; then it may be transferred again", async () => {
		const s = await talking(follow);
		const { uri } = await target((call) => call.ring());
		const began = performance.now();
		const error = await failure(bed.sip.transferSipParticipant(s.room, s.identity, uri, { ringingTimeout: 1 }));
		expect(error).toMatchObject({ code: "deadline_exceeded" });
		expect(performance.now() - began).toBeLessThan(2_500);
		await expectRoomHeard(s);
		const other = await target(answer);
		await bed.sip.transferSipParticipant(s.room, s.identity, other.uri);
		expect(other.calls[0]?.state).toBe("answered");
	});

	it("with play_dialtone the caller hears ringback and not the room, until it has failed", async () => {
		const s = await talking(follow);
		const { uri, calls } = await target((call) => call.ring());
		const transfer = failure(bed.sip.transferSipParticipant(s.room, s.identity, uri, { playDialtone: true }));
		await until(() => calls.length > 0, "the target to ring");
		s.call.received.clear();
		await settle(900);
		const ringing = s.call.received.pcm();
		expect(measureTone(ringing, 8_000, RINGBACK_HZ).levelDb).toBeGreaterThan(-30);
		expect(measureTone(ringing, 8_000, ROOM_HZ).levelDb).toBeLessThan(-45);
		calls[0]?.reject(603, "Decline");
		expect(await transfer).toMatchObject({ sipStatusCode: 603 });
		await expectRoomHeard(s);
	});

	it("somebody without a telephone, and nobody at all", async () => {
		const s = await talking(follow);
		expect(await failure(bed.sip.transferSipParticipant(s.room, "agent", "tel:+15550142"))).toMatchObject({
			message: expect.stringContaining("no SIP session associated with participant"),
		});
		expect(await failure(bed.sip.transferSipParticipant(s.room, "nobody", "tel:+15550142"))).toMatchObject({
			code: "not_found",
			status: 404,
		});
		expect(s.referrals).toEqual([]);
	});

	it("a call that only rings", async () => {
		const room = `transfer-${++next}`;
		const phone = await bed.phone();
		phone.onIncoming((call) => call.ring());
		await bed.sip.createSipParticipant(await bed.outbound(phone), "+15550199", room, { participantIdentity: "callee" });
		const error = await failure(bed.sip.transferSipParticipant(room, "callee", "tel:+15550142"));
		expect(error).toMatchObject({ code: "failed_precondition" });
		await bed.rooms.removeParticipant(room, "callee");
	});
});
