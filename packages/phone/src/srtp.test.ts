import { measureTone } from "@trunkline/audio";
import { afterEach, describe, expect, it } from "vitest";
import { newCrypto, Phone, type PhoneCall, type PhoneOptions } from "./index.ts";

const open: Phone[] = [];
async function phone(options: PhoneOptions): Promise<Phone> {
	const one = await Phone.open(options);
	open.push(one);
	return one;
}
afterEach(async () => {
	await Promise.all(open.splice(0).map((each) => each.close()));
});

async function talking(caller: PhoneOptions, callee: PhoneOptions): Promise<{ out: PhoneCall; in: PhoneCall }> {
	const called = await phone(callee);
	const incoming = new Promise<PhoneCall>((resolve) => {
		called.onIncoming((call) => {
			call.tone(600, -20);
			void call.answer().then(
				() => resolve(call),
				() => {},
			);
		});
	});
	const out = await (await phone(caller)).call(called.uri);
	out.tone(440, -20);
	await out.answered();
	return { out, in: await incoming };
}

const heardHz = async (call: PhoneCall): Promise<number | undefined> => {
	call.received.clear();
	await expect.poll(() => call.received.durationMs, { timeout: 3_000 }).toBeGreaterThan(200);
	const pcm = call.received.last(200);
	return [440, 600].find((hz) => measureTone(pcm, 8_000, hz).levelDb > -24);
};

describe("two phones with SRTP", () => {
	it.each([
		"AES_CM_128_HMAC_SHA1_80",
		"AES_CM_128_HMAC_SHA1_32",
		"AES_256_CM_HMAC_SHA1_80",
		"AEAD_AES_128_GCM",
		"AEAD_AES_256_GCM",
	] as const)("%s: both hear each other", async (suite) => {
		const calls = await talking({ srtp: { suites: [suite] } }, { srtp: { suites: [suite] } });
		expect(calls.out.negotiated?.srtp?.suite).toBe(suite);
		expect(await Promise.all([heardHz(calls.out), heardHz(calls.in)])).toEqual([600, 440]);
		expect(calls.out.stats().srtpErrors + calls.in.stats().srtpErrors).toBe(0);
	});

	it("G.722, too", async () => {
		const calls = await talking({ srtp: {}, codecs: ["G722"] }, { srtp: {}, codecs: ["PCMU", "G722"] });
		expect(calls.out.negotiated?.codec).toEqual({ name: "G722", payloadType: 9, receivePayloadType: 9, clockRate: 8_000 });
		expect(await Promise.all([heardHz(calls.out), heardHz(calls.in)])).toEqual([600, 440]);
	});

	it("new keys in the call: they go on hearing each other", async () => {
		const calls = await talking({ srtp: {} }, { srtp: {} });
		expect(await calls.out.reoffer(newCrypto({}))).toBe(200);
		expect(await Promise.all([heardHz(calls.out), heardHz(calls.in)])).toEqual([600, 440]);
	});

	it("one without SRTP gets 488, and a call in the clear where it is required is none", async () => {
		const called = await phone({ srtp: {} });
		called.onIncoming((call) => void call.answer().catch(() => {}));
		const call = await (await phone({})).call(called.uri);
		expect(await call.ended()).toMatchObject({ cause: "status", status: 488 });
	});
});
