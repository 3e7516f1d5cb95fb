import { createOffer, type Direction, type LocalMedia, readAnswer } from "@trunkline/sdp";
import { header, parseSipfrag, type SipEvent } from "@trunkline/sip";
import { afterEach, expect, it, vi } from "vitest";
import { Phone } from "./phone.ts";
import { SipDriver } from "./sip-driver.ts";
import { sdpBody, sdpOf } from "./text.ts";

/** A peer that speaks bare SIP, for what a phone of ours does not do by itself: hold, offers that come late. */
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

async function peer(): Promise<{
	driver: SipDriver;
	event: <T extends SipEvent["type"]>(type: T) => Promise<Extract<SipEvent, { type: T }>>;
}> {
	const events: SipEvent[] = [];
	const driver = await SipDriver.open({
		host: "127.0.0.1",
		port: 0,
		address: "127.0.0.1",
		user: "peer",
		allow: ["NOTIFY"],
		onEvent: (each) => events.push(each),
		trace: () => {},
	});
	closers.push(() => driver.close());
	const isOf =
		<T extends SipEvent["type"]>(type: T) =>
		(each: SipEvent): each is Extract<SipEvent, { type: T }> =>
			each.type === type;
	return {
		driver,
		event: async (type) => {
			await expect.poll(() => events.some(isOf(type)), { timeout: 3000, interval: 2 }).toBe(true);
			const found = events.find(isOf(type));
			if (found === undefined) throw new Error(type);
			events.splice(events.indexOf(found), 1);
			return found;
		},
	};
}

const local = (direction: Direction, sessionVersion = 1): LocalMedia => ({
	address: "127.0.0.1",
	port: 9,
	codecs: ["PCMU"],
	sessionId: 1,
	sessionVersion,
	direction,
});

async function answeringPhone(): Promise<Phone> {
	const phone = await Phone.open();
	closers.push(() => phone.close());
	phone.onIncoming((call) => void call.answer());
	return phone;
}

function dial(driver: SipDriver, phone: Phone, body?: ReturnType<typeof sdpBody>): void {
	const from = { uri: "sip:peer@127.0.0.1" };
	const target = { host: "127.0.0.1", port: phone.port, transport: "UDP" } as const;
	driver.feed({ kind: "call", leg: "a", requestUri: phone.uri, from, to: { uri: phone.uri }, target, ...(body && { body }) });
}

it("hold and resume: the phone stops sending, answers recvonly with a new version, and sends again", async () => {
	const phone = await answeringPhone();
	const { driver, event } = await peer();
	dial(driver, phone, sdpBody(createOffer(local("sendrecv"))));
	const first = sdpOf((await event("answered")).response) ?? "";
	const call = phone.calls[0];
	if (call === undefined) throw new Error("no call");

	driver.feed({ kind: "request", leg: "a", transaction: "hold", method: "INVITE", body: sdpBody(createOffer(local("sendonly", 2))) });
	const held = await event("in-dialog-response");
	expect(held.response?.status).toBe(200);
	const answer = (held.response && sdpOf(held.response)) ?? "";
	expect(answer).toContain("a=recvonly");
	const version = (sdp: string): number => Number(/^o=- \d+ (\d+) /m.exec(sdp)?.[1]);
	expect(version(answer)).toBe(version(first) + 1);
	expect(call.negotiated).toMatchObject({ onHold: true, direction: "recvonly" });
	const sent = call.stats().packetsSent;
	await new Promise((resolve) => setTimeout(resolve, 100));
	expect(call.stats().packetsSent).toBe(sent);

	driver.feed({ kind: "request", leg: "a", transaction: "resume", method: "INVITE", body: sdpBody(createOffer(local("sendrecv", 3))) });
	expect((await event("in-dialog-response")).response?.status).toBe(200);
	await expect.poll(() => call.stats().packetsSent, { timeout: 1000 }).toBeGreaterThan(sent + 2);
});

it("an INVITE without an offer gets ours in the 200 (RFC 3261 §13.2.1)", async () => {
	const phone = await answeringPhone();
	const { driver, event } = await peer();
	dial(driver, phone);
	const offer = sdpOf((await event("answered")).response) ?? "";
	expect(readAnswer(offer, local("sendrecv"))).toMatchObject({ ok: true, negotiated: { codec: { name: "PCMU" } } });
});

it("OPTIONS is answered in a call", async () => {
	const phone = await answeringPhone();
	const { driver, event } = await peer();
	dial(driver, phone, sdpBody(createOffer(local("sendrecv"))));
	await event("answered");
	driver.feed({ kind: "request", leg: "a", transaction: "ping", method: "OPTIONS" });
	expect((await event("in-dialog-response")).response?.status).toBe(200);
});

// setTimeout takes what is beyond 31 bits for 1 ms: the phone would wake up a thousand times a second for as long as it rings
it("an INVITE that expires in years does not keep the phone busy", async () => {
	const phone = await Phone.open();
	closers.push(() => phone.close());
	phone.onIncoming((call) => call.ring());
	const { driver, event } = await peer();
	const timers = vi.spyOn(globalThis, "setTimeout");
	closers.push(async () => timers.mockRestore());
	const target = { host: "127.0.0.1", port: phone.port, transport: "UDP" } as const;
	const parties = { requestUri: phone.uri, from: { uri: "sip:peer@127.0.0.1" }, to: { uri: phone.uri }, target };
	driver.feed({ kind: "call", leg: "a", ...parties, headers: [["Expires", "999999999"]] });
	// 100, then 180
	await event("provisional");
	await event("provisional");
	expect(Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))).toBeLessThan(2 ** 31);
});

/** A call of the peer to the phone, answered, and a REFER inside it. */
async function referred(phone: Phone, target: string) {
	const { driver, event } = await peer();
	dial(driver, phone, sdpBody(createOffer(local("sendrecv"))));
	await event("answered");
	const refer = { kind: "request", leg: "a", transaction: "refer", method: "REFER", headers: [["Refer-To", target]] } as const;
	driver.feed(refer);
	const { response } = await event("in-dialog-response");
	if (response === undefined) throw new Error("the REFER was not answered");
	/** the next NOTIFY, answered */
	const notified = async (): Promise<string> => {
		const { transaction, request } = await event("in-dialog");
		driver.feed({ kind: "respond", transaction, status: 200 });
		expect(request.method).toBe("NOTIFY");
		expect(header(request, "event")).toBe(`refer;id=${Number.parseInt(header(response, "cseq") ?? "", 10)}`);
		return `${parseSipfrag(request.body)?.status} ${header(request, "subscription-state")}`;
	};
	return { driver, event, status: response.status, notified };
}

it("follows a REFER: calls the target, tells of it, hangs the first call up", async () => {
	const phone = await answeringPhone();
	const other = await Phone.open();
	closers.push(() => other.close());
	other.onIncoming((call) => {
		call.ring();
		void call.answer();
	});
	phone.onReferral((referral) => void referral.follow());
	const { status, notified, event } = await referred(phone, `<${other.uri}>`);
	expect(status).toBe(202);
	expect(await notified()).toBe("100 active;expires=60");
	expect(await notified()).toBe("180 active;expires=60");
	expect(await notified()).toBe("200 terminated;reason=noresource");
	expect(await event("ended")).toMatchObject({ by: "remote" });
	const calls = (): string[] => phone.calls.map(({ direction, state }) => `${direction} ${state}`);
	await expect.poll(calls, { timeout: 3000, interval: 2 }).toEqual(["outgoing answered"]);
	expect(other.calls).toHaveLength(1);
});

it("tells of a target that refuses, and the first call goes on", async () => {
	const phone = await answeringPhone();
	const other = await Phone.open();
	closers.push(() => other.close());
	other.onIncoming((call) => call.reject(486, "Busy Here"));
	phone.onReferral((referral) => void referral.follow());
	const { notified } = await referred(phone, other.uri);
	expect(await notified()).toBe("100 active;expires=60");
	expect(await notified()).toBe("486 terminated;reason=noresource");
	expect(phone.calls.map(({ direction }) => direction)).toEqual(["incoming"]);
});

it("without a handler declines; what it cannot call it refuses", async () => {
	const phone = await answeringPhone();
	expect((await referred(phone, "tel:+15550142")).status).toBe(603);
	const failures: unknown[] = [];
	phone.onReferral((referral) => void referral.follow().catch((error: unknown) => failures.push(error)));
	expect((await referred(phone, "tel:+15550142")).status).toBe(400);
	expect((await referred(phone, "<>")).status).toBe(400);
	expect(failures).toHaveLength(2);
});
