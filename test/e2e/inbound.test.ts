import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";
import { expectTones, settle } from "./tones.ts";

const SECOND = 1_000;
let bed: Testbed;

beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(async () => {
	await bed.clear();
	await bed.idle();
});
afterAll(() => bed.close());

let next = 15_550_200;
/** a number and a room of its own for each test */
const place = () => ({ number: `+${++next}`, room: `room-${next}` });

describe("an inbound call", () => {
	it("telephone and participant hear each other's tones", async () => {
		const { number, room } = place();
		const { trunkId, ruleId } = await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(() => agent.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		await settle();
		agent.take("sip_+15551111");
		call.received.clear();
		await settle(2 * SECOND);
		expectTones(agent.take("sip_+15551111"), 48_000, [440], [1_000, 600]);
		expectTones(call.received.pcm(), 8_000, [1_000], [440, 600]);

		const [participant] = (await bed.rooms.listParticipants(room)).filter((one) => one.identity === "sip_+15551111");
		expect(participant?.kind).toBe(3);
		expect(participant?.name).toBe("Phone +15551111");
		expect(participant?.attributes).toMatchObject({
			"sip.callStatus": "active",
			"sip.trunkID": trunkId,
			"sip.ruleID": ruleId,
			"sip.phoneNumber": "+15551111",
			"sip.trunkPhoneNumber": number,
		});
		call.hangup();
		await until(() => agent.left.includes("sip_+15551111"), "the participant to leave");
		expect(agent.attributeChanges.map(({ changed }) => changed["sip.callStatus"]).filter((status) => status !== undefined)).toEqual([
			"active",
			"hangup",
		]);
	});

	it("three are mixed, and nobody hears himself", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const anna = await bed.participant(room, "anna");
		await anna.speak(1_000);
		const bert = await bed.participant(room, "bert");
		await bert.speak(1_400);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		call.tone(440, -20);
		await call.answered();
		await until(() => anna.heardFrom().includes("sip_+15551111"), "the participant to hear the telephone");
		await settle();
		call.received.clear();
		anna.take("sip_+15551111");
		await settle(2 * SECOND);
		expectTones(call.received.pcm(), 8_000, [1_000, 1_400], [440]);
		expectTones(anna.take("sip_+15551111"), 48_000, [440], [1_000, 1_400]);
		call.hangup();
	});

	it("two telephones and a participant: each telephone hears the two others", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const first = await phone.call(bed.uri(number), { from: "+15551111" });
		first.tone(440, -20);
		const second = await phone.call(bed.uri(number), { from: "+15552222", codecs: ["PCMA"] });
		second.tone(600, -20);
		await Promise.all([first.answered(), second.answered()]);
		await settle();
		first.received.clear();
		second.received.clear();
		await settle(2 * SECOND);
		expectTones(first.received.pcm(), 8_000, [1_000, 600], [440]);
		expectTones(second.received.pcm(), 8_000, [1_000, 440], [600]);
		first.hangup();
		second.hangup();
	});

	it("digits go both ways, each once and in order", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await call.answered();
		call.sendDtmf("1234567890*#");
		await until(
			() => agent.digits.length >= 12,
			() => `twelve digits, not ${JSON.stringify(agent.digits)}`,
		);
		const codes: [number, string][] = [
			[9, "9"],
			[10, "*"],
			[11, "#"],
			[0, "0"],
		];
		for (const [code, digit] of codes) await agent.sendDigit(code, digit);
		await until(() => call.digits.length >= 4, "four digits at the telephone");
		await settle(600);
		expect(agent.digits.map(({ digit }) => digit).join("")).toBe("1234567890*#");
		expect(new Set(agent.digits.map(({ from }) => from))).toEqual(new Set(["sip_+15551111"]));
		expect(call.digits).toBe("9*#0");
		call.hangup();
	});

	it("rings until somebody comes", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await until(() => call.state === "ringing", "ringing");
		await settle(500);
		expect(call.state).toBe("ringing");
		expect(call.stats().packetsReceived, "audio before the answer").toBe(0);
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);
		await call.answered();
		expect(call.state).toBe("answered");
		call.hangup();
	});
});

describe("ends", () => {
	it("a number without trunk or rule is a 404 at once", async () => {
		const phone = await bed.phone();
		const began = performance.now();
		const call = await phone.call(bed.uri("+19990000"), { from: "+15551111" });
		expect(await call.ended()).toMatchObject({ status: 404 });
		expect(performance.now() - began).toBeLessThan(2_000);
	});

	it("the telephone gives up while it rings", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await until(() => call.state === "ringing", "ringing");
		call.cancel();
		expect(await call.ended()).toMatchObject({ status: 487 });
		await bed.idle();
		await until(async () => (await participantsIn(room)).length === 0, "the participant to be gone");
	});

	it("nobody comes in time: 480", async () => {
		const { number, room } = place();
		const trunk = await bed.sip.createSipInboundTrunk("short", [number], { ringingTimeout: 1 });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: "short", trunkIds: [trunk.sipTrunkId] });
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		expect(await call.ended()).toMatchObject({ status: 480 });
	});

	it("the participant is removed: BYE", async () => {
		const { number, room } = place();
		const { call } = await activeCall(number, room);
		await bed.rooms.removeParticipant(room, "sip_+15551111");
		expect(await call.ended()).toMatchObject({ by: "remote" });
	});

	it("the room is deleted: BYE", async () => {
		const { number, room } = place();
		const { call } = await activeCall(number, room);
		await bed.rooms.deleteRoom(room);
		expect(await call.ended()).toMatchObject({ by: "remote" });
	});

	it("removed while ringing: refused", async () => {
		const { number, room } = place();
		await bed.inbound(number, room);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri(number), { from: "+15551111" });
		await until(() => call.state === "ringing", "ringing");
		await until(async () => (await participantsIn(room)).length === 1, "the participant");
		await bed.rooms.removeParticipant(room, "sip_+15551111");
		expect(await call.ended()).toMatchObject({ status: 603 });
	});

	it("the telephone vanishes without a word: the call ends by itself", async () => {
		const { number, room } = place();
		const { agent, call } = await activeCall(number, room);
		call.abandon();
		await until(() => agent.left.includes("sip_+15551111"), "the participant to leave");
		await bed.idle();
		expect(await participantsIn(room)).toEqual(["agent"]);
	});
});

describe("credentials", () => {
	it("a trunk with user name and password takes only who has them", async () => {
		const { number, room } = place();
		const trunk = await bed.sip.createSipInboundTrunk("closed", [number], { authUsername: "carrier", authPassword: "s3cret" });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { name: "closed", trunkIds: [trunk.sipTrunkId] });
		const agent = await bed.participant(room, "agent");
		await agent.speak(1_000);

		const stranger = await bed.phone();
		expect(await (await stranger.call(bed.uri(number), { from: "+15551111" })).ended()).toMatchObject({ status: 407 });
		const guesser = await bed.phone({ username: "carrier", password: "guess" });
		expect(await (await guesser.call(bed.uri(number), { from: "+15551111" })).ended()).toMatchObject({ status: 403 });
		const carrier = await bed.phone({ username: "carrier", password: "s3cret" });
		const call = await carrier.call(bed.uri(number), { from: "+15551111" });
		await call.answered();
		call.hangup();
	});
});

async function activeCall(number: string, room: string) {
	await bed.inbound(number, room);
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone();
	const call = await phone.call(bed.uri(number), { from: "+15551111" });
	call.tone(440, -20);
	await call.answered();
	return { agent, call };
}

async function participantsIn(room: string): Promise<string[]> {
	try {
		return (await bed.rooms.listParticipants(room)).map((participant) => participant.identity);
	} catch {
		return []; // the room itself is gone
	}
}
