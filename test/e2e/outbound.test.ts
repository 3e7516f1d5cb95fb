import { createHash, createHmac } from "node:crypto";
import type { IncomingCall, Phone } from "@trunkline/phone";
import { challenge, type Hashes, header, headers, verifyAuthorization } from "@trunkline/sip";
import { AccessToken, SipCallError } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
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

let next = 0;
const newRoom = () => `outbound-${++next}`;

/** A phone that does this with every call; the calls it got are kept. */
async function callee(behaviour: (call: IncomingCall) => void): Promise<{ phone: Phone; trunk: string; calls: IncomingCall[] }> {
	const phone = await bed.phone();
	const calls: IncomingCall[] = [];
	phone.onIncoming((call) => {
		calls.push(call);
		behaviour(call);
	});
	return { phone, trunk: await bed.outbound(phone), calls };
}

const answer = (call: IncomingCall): void => {
	call.ring();
	void call.answer();
};

async function sipError(promise: Promise<unknown>): Promise<SipCallError> {
	try {
		await promise;
	} catch (error) {
		expect(error).toBeInstanceOf(SipCallError);
		return error as SipCallError;
	}
	throw new Error("the call did not fail");
}

describe("an outbound call", () => {
	it("is answered, and both sides hear each other's tones", async () => {
		const room = newRoom();
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const { trunk, calls } = await callee((call) => {
			call.tone(440, -20);
			answer(call);
		});
		const participant = await bed.sip.createSipParticipant(trunk, "+15550199", room, {
			participantIdentity: "callee",
			participantName: "Cal Lee",
			waitUntilAnswered: true,
		});
		expect(participant).toMatchObject({ participantIdentity: "callee", roomName: room });
		expect(participant.sipCallId).toMatch(/^SCL_/);
		expect(participant.participantId).toMatch(/^PA_/);
		const [call] = calls;
		if (call === undefined) throw new Error("no call came");
		expect(call).toMatchObject({ from: "+15550100", to: "+15550199", state: "answered" });

		await until(() => agent.heardFrom().includes("callee"), "the participant to hear the telephone");
		await settle();
		agent.take("callee");
		call.received.clear();
		await settle(2_000);
		expectTones(agent.take("callee"), 48_000, [440], [1_000]);
		expectTones(call.received.pcm(), 8_000, [1_000], [440]);

		const [seen] = (await bed.rooms.listParticipants(room)).filter((one) => one.identity === "callee");
		expect(seen?.name).toBe("Cal Lee");
		expect(seen?.attributes).toMatchObject({
			"sip.callStatus": "active",
			"sip.callID": participant.sipCallId,
			"sip.trunkID": trunk,
			"sip.phoneNumber": "+15550199",
			"sip.trunkPhoneNumber": "+15550100",
		});
		call.hangup();
		await until(() => agent.left.includes("callee"), "the participant to leave");
	});

	it("answers the API as soon as the participant is in the room, and rings on", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee((call) => call.ring());
		const agent = await bed.participant(room, "agent");
		const participant = await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee" });
		expect(participant.participantId).toMatch(/^PA_/);
		await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "ringing"), "the status ringing");
		const [call] = calls;
		await call?.answer();
		await until(() => agent.attributeChanges.some(({ changed }) => changed["sip.callStatus"] === "active"), "the status active");
		call?.hangup();
	});

	it("sends dtmf after the answer, before it is active", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee(answer);
		await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", dtmf: "12w#", waitUntilAnswered: true });
		expect(calls[0]?.digits).toBe("12#");
		calls[0]?.hangup();
	});

	it("digits go both ways", async () => {
		const room = newRoom();
		const agent = await bed.participant(room, "agent");
		const { trunk, calls } = await callee(answer);
		await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", waitUntilAnswered: true });
		calls[0]?.sendDtmf("58");
		await agent.sendDigit(4, "4");
		await agent.sendDigit(11, "#");
		await until(() => agent.digits.length >= 2 && (calls[0]?.digits.length ?? 0) >= 2, "digits on both sides");
		await settle(400);
		expect(agent.digits).toEqual([
			{ digit: "5", from: "callee" },
			{ digit: "8", from: "callee" },
		]);
		expect(calls[0]?.digits).toBe("4#");
		calls[0]?.hangup();
	});

	it("carries headers, display name and the number the trunk says", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee(answer);
		await bed.sip.createSipParticipant(trunk, "+15550199", room, {
			participantIdentity: "callee",
			headers: { "X-Order": "4711" },
			displayName: "Front Desk",
			waitUntilAnswered: true,
		});
		const request = calls[0]?.request;
		if (request === undefined) throw new Error("no call came");
		expect(header(request, "x-order")).toBe("4711");
		expect(header(request, "from")).toContain('"Front Desk" <sip:+15550100@');
		calls[0]?.hangup();
	});

	it("two requests with one request id are one call", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee(answer);
		const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
		token.addSIPGrant({ call: true });
		const send = async () => {
			const response = await fetch(`${bed.local.url}/twirp/livekit.SIP/CreateSIPParticipant`, {
				method: "POST",
				headers: {
					"content-type": "application/json",
					authorization: `Bearer ${await token.toJwt()}`,
					"x-livekit-request-id": `same-${room}`,
				},
				body: JSON.stringify({
					sip_trunk_id: trunk,
					sip_call_to: "+15550199",
					room_name: room,
					participant_identity: "callee",
					wait_until_answered: true,
				}),
			});
			return (await response.json()) as { sip_call_id: string };
		};
		const answers = await Promise.all([send(), send(), send()]);
		expect(new Set(answers.map((one) => one.sip_call_id)).size).toBe(1);
		await settle(300);
		expect(calls).toHaveLength(1);
		calls[0]?.hangup();
	});
});

describe("calls that fail", () => {
	const refusals: [string, number, string, string][] = [
		["busy", 486, "Busy Here", "resource_exhausted"],
		["declined", 603, "Decline", "permission_denied"],
		["no such number", 404, "Not Found", "not_found"],
	];
	it.each(refusals)("%s", async (_, status, reason, code) => {
		const room = newRoom();
		const agent = await bed.participant(room, "agent");
		const { trunk } = await callee((call) => call.reject(status, reason));
		const error = await sipError(
			bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", waitUntilAnswered: true }),
		);
		expect(error).toMatchObject({ sipStatusCode: status, sipStatus: reason, code });
		await until(() => agent.left.includes("callee"), "the participant to leave");
	});

	it("nobody answers: CANCEL after the ringing time-out", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee((call) => call.ring());
		const began = performance.now();
		await expect(
			bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", ringingTimeout: 1, waitUntilAnswered: true }),
		).rejects.toThrow(/time/i);
		expect(performance.now() - began).toBeLessThan(4_000);
		await until(() => calls[0]?.state === "ended", "the CANCEL");
		expect(calls[0]?.end).toMatchObject({ status: 487, by: "remote" });
	});

	it("removing the participant stops the ringing", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee((call) => call.ring());
		await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee" });
		await until(() => calls[0]?.state === "ringing", "ringing");
		await bed.rooms.removeParticipant(room, "callee");
		await until(() => calls[0]?.state === "ended", "the CANCEL");
		expect(calls[0]?.end).toMatchObject({ status: 487, by: "remote" });
	});

	it("deleting the room hangs up", async () => {
		const room = newRoom();
		const { trunk, calls } = await callee(answer);
		await bed.sip.createSipParticipant(trunk, "+15550199", room, { participantIdentity: "callee", waitUntilAnswered: true });
		await bed.rooms.deleteRoom(room);
		await until(() => calls[0]?.state === "ended", "the BYE");
		expect(calls[0]?.end).toMatchObject({ answered: true, by: "remote" });
	});
});

describe("a carrier that asks for credentials", () => {
	const hashes: Hashes = {
		md5: (bytes) => createHash("md5").update(bytes).digest(),
		sha256: (bytes) => createHash("sha256").update(bytes).digest(),
		hmacSha256: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
	};

	/** Challenges with 407 in both algorithms, takes only carrier / s3cret. */
	async function carrier() {
		const secret = new Uint8Array(16).fill(7);
		const phone = await bed.phone();
		const verdicts: string[] = [];
		phone.onIncoming((call) => {
			const scope = { hashes, secret, realm: "carrier.example", now: Date.now() };
			const values = headers(call.request, "proxy-authorization");
			const verdict = verifyAuthorization({
				...scope,
				values,
				method: "INVITE",
				requestUri: call.request.uri,
				username: "carrier",
				password: "s3cret",
			});
			verdicts.push(verdict);
			if (verdict === "ok") return answer(call);
			if (verdict !== "missing") return call.reject(403, "Forbidden");
			call.reject(407, "Proxy Authentication Required", [
				["Proxy-Authenticate", challenge({ ...scope, algorithm: "SHA-256" })],
				["Proxy-Authenticate", challenge({ ...scope, algorithm: "MD5" })],
			]);
		});
		return { phone, verdicts };
	}

	it("gets them, once", async () => {
		const { phone, verdicts } = await carrier();
		const trunk = await bed.outbound(phone, { authUsername: "carrier", authPassword: "s3cret" });
		await bed.sip.createSipParticipant(trunk, "+15550199", newRoom(), { participantIdentity: "callee", waitUntilAnswered: true });
		expect(verdicts).toEqual(["missing", "ok"]);
		for (const call of phone.calls) call.hangup();
	});

	it("refuses wrong ones, which are not tried again", async () => {
		const { phone, verdicts } = await carrier();
		const trunk = await bed.outbound(phone, { authUsername: "carrier", authPassword: "wrong" });
		const error = await sipError(
			bed.sip.createSipParticipant(trunk, "+15550199", newRoom(), { participantIdentity: "callee", waitUntilAnswered: true }),
		);
		expect(error).toMatchObject({ sipStatusCode: 403 });
		expect(verdicts).toEqual(["missing", "refused"]);
	});
});
