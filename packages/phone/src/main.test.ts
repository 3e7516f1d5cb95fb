import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dominantTone, parseWav, tone, writeWav } from "@trunkline/audio";
import { createOffer } from "@trunkline/sdp";
import { header } from "@trunkline/sip";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { IncomingCall } from "./incoming-call.ts";
import { Phone } from "./phone.ts";
import { SipDriver } from "./sip-driver.ts";
import { sdpBody } from "./text.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "phone-"));
afterAll(() => rmSync(folder, { recursive: true }));

const phones: Phone[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
	for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
	await Promise.all(phones.splice(0).map((phone) => phone.close()));
});

/** The command as a person runs it, with files in a folder of its own. */
function run(...args: string[]): {
	child: ChildProcess;
	done: Promise<{ code: number | null; out: string; err: string }>;
	said: (text: string) => Promise<void>;
} {
	const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
		env: { ...process.env, INIT_CWD: folder },
	});
	children.push(child);
	let out = "";
	let err = "";
	child.stdout.on("data", (data: Buffer) => (out += data.toString()));
	child.stderr.on("data", (data: Buffer) => (err += data.toString()));
	const done = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
		child.on("close", (code) => resolve({ code, out, err })),
	);
	return { child, done, said: (text) => expect.poll(() => out, { timeout: 10_000, interval: 10 }).toContain(text) };
}

async function open(): Promise<Phone> {
	const phone = await Phone.open();
	phones.push(phone);
	return phone;
}

function onCall(phone: Phone, handler: (call: IncomingCall) => void): Promise<IncomingCall> {
	return new Promise((resolve) =>
		phone.onIncoming((call) => {
			handler(call);
			resolve(call);
		}),
	);
}

describe("dialling", () => {
	it("plays a file, presses digits, keeps what it hears, and ends with 0", async () => {
		writeFileSync(join(folder, "hello.wav"), writeWav(tone(16_000, 500, 3000, -15), 16_000));
		const phone = await open();
		const incoming = onCall(phone, (call) => {
			call.tone(700, -20);
			call.ring();
			void call.answer();
		});
		const command = run(
			...[phone.uri.replace("phone@", "+15550100@"), "--play", "hello.wav", "--record", "heard.wav", "--dtmf", "42#", "--duration", "1.6"],
			...["--from", "+15550111", "--header", "X-A: b", "--codec", "pcma"],
		);
		const call = await incoming;
		expect([call.from, call.to, header(call.request, "X-A")]).toEqual(["+15550111", "+15550100", "b"]);
		const { code, out, err } = await command.done;
		expect(err).toBe("");
		expect(out).toMatch(/180 Ringing\nanswered after \d+ ms: PCMA, audio to 127\.0\.0\.1:\d+\n/);
		expect(out).toMatch(/hung up by us after 1\.\d s; packets sent \d+, received \d+, lost 0/);
		expect(code).toBe(0);
		expect(call.digits).toBe("42#");
		const played = dominantTone(call.received.pcm().subarray(800, 3200), 8000);
		expect(played?.hz).toBeCloseTo(500, 0);
		expect(played?.levelDb).toBeCloseTo(-15, 0);
		const heard = parseWav(readFileSync(join(folder, "heard.wav")));
		expect(heard.ok && heard.wav.sampleRate).toBe(8000);
		expect(heard.ok && dominantTone(heard.wav.samples.subarray(800), 8000)?.hz).toBeCloseTo(700, 0);
	});

	it("busy: says so and ends with 1", async () => {
		const phone = await open();
		void onCall(phone, (call) => call.reject(486));
		expect(await run(phone.uri).done).toMatchObject({ code: 1, err: "phone: the call failed: 486 Busy Here: the line is busy\n" });
	});

	it("nobody answers in the time given", async () => {
		const phone = await open();
		void onCall(phone, (call) => call.ring());
		expect(await run(phone.uri, "--timeout", "0.3").done).toMatchObject({
			code: 1,
			err: "phone: the call failed: no answer within 0.3 s\n",
		});
	});

	it("a call that goes on ringing, or gets no reply, is told what may be amiss", async () => {
		const phone = await open();
		void onCall(phone, (call) => call.ring());
		const silent = createSocket("udp4").bind(0, "127.0.0.1");
		await once(silent, "listening");
		try {
			const ringing = run(phone.uri);
			const unheard = run(`sip:1@127.0.0.1:${silent.address().port}`);
			await ringing.said("180 Ringing\nstill ringing; a Trunkline answers when somebody in the room can hear");
			await unheard.said("\nno reply yet; is the far side running, and are address and port right?\n");
			for (const { child } of [ringing, unheard]) child.kill("SIGINT");
			expect([(await ringing.done).code, (await unheard.done).code]).toEqual([1, 1]);
		} finally {
			silent.close();
		}
	});

	it("Ctrl-C while it rings takes the call back; in a call it hangs up", async () => {
		const phone = await open();
		const first = onCall(phone, (call) => call.ring());
		const ringing = run(phone.uri);
		await ringing.said("180 Ringing");
		ringing.child.kill("SIGINT");
		expect(await ringing.done).toMatchObject({ code: 1, err: "phone: the call failed: cancelled before the answer\n" });
		expect((await (await first).ended()).cause).toBe("cancelled");

		const second = onCall(phone, (call) => void call.answer());
		const talking = run(phone.uri);
		await talking.said("answered after");
		talking.child.kill("SIGTERM");
		expect((await talking.done).code).toBe(0);
		expect(await (await second).ended()).toMatchObject({ by: "remote", cause: "bye" });
	});

	it.each([
		[["15550100"], 'phone: "15550100" is no SIP URI; it looks like sip:+15550100@127.0.0.1\n'],
		[
			["sip:1@127.0.0.1", "3"],
			"phone: too many arguments. Expected 1 argument but got 2: sip:1@127.0.0.1, 3.\nOptions go after two dashes: npm run phone -- <sip-uri> --duration 10\n",
		],
		[["sip:1@127.0.0.1", "--play", "none.wav"], "phone: cannot read none.wav: no such file or folder\n"],
		[
			["sip:1@127.0.0.1", "--dtmf", "1x"],
			"phone: option '--dtmf <digits>' argument '1x' is invalid. Digits are 0-9 * # A-D, and w to wait.\n",
		],
		[
			["sip:1@127.0.0.1", "--header", "Via: x"],
			"phone: option '--header <line>' argument 'Via: x' is invalid. Via is written by the phone itself.\n",
		],
		[["sip:1@127.0.0.1", "--nonsense"], "phone: unknown option '--nonsense'\n"],
		[["sip:1@127.0.0.1", "--listen", "5070"], "phone: either call somebody or --listen, not both\n"],
	])("%j is one clear line and 1", async (args, err) => {
		expect(await run(...args).done).toEqual({ code: 1, out: "", err });
	});
});

/** A call by bare SIP, which can ask for transfers. */
async function bareCall(port: number): Promise<{ driver: SipDriver; answered: Promise<void> }> {
	const { promise: answered, resolve } = Promise.withResolvers<void>();
	const driver = await SipDriver.open({
		host: "127.0.0.1",
		port: 0,
		address: "127.0.0.1",
		user: "bare",
		allow: ["NOTIFY"],
		onEvent: (event) => {
			if (event.type === "answered") resolve();
			if (event.type === "in-dialog") driver.feed({ kind: "respond", transaction: event.transaction, status: 200 });
		},
		trace: () => {},
	});
	const uri = `sip:1@127.0.0.1:${port}`;
	const offer = createOffer({ address: "127.0.0.1", port: 9, codecs: ["PCMU"], sessionId: 1, sessionVersion: 1 });
	const target = { host: "127.0.0.1", port, transport: "UDP" } as const;
	driver.feed({ kind: "call", leg: "a", requestUri: uri, from: { uri: "sip:bare@127.0.0.1" }, to: { uri }, target, body: sdpBody(offer) });
	return { driver, answered };
}

describe("listening", () => {
	/** A port that was free a moment ago. */
	async function freePort(): Promise<string> {
		const phone = await Phone.open();
		const port = String(phone.port);
		await phone.close();
		return port;
	}

	it("answers, sends its tone, tells digits, and ends with 0 after one call", async () => {
		const port = await freePort();
		const command = run("--listen", port, "--answer", "--once", "--tone", "600");
		await command.said("waiting for calls");
		const phone = await open();
		const call = await phone.call(`sip:+15550100@127.0.0.1:${port}`);
		await call.answered();
		call.sendDtmf("7", 60);
		await command.said("digit heard: 7");
		await expect.poll(() => call.received.durationMs, { timeout: 5000 }).toBeGreaterThan(400);
		expect(dominantTone(call.received.last(300), 8000)?.hz).toBeCloseTo(600, 0);
		call.hangup();
		const { code, out } = await command.done;
		expect(out).toMatch(/call from phone to \+15550100\n/);
		expect(out).toMatch(/hung up by the far side after .*digits heard: 7\n/);
		expect(code).toBe(0);
	});

	it("is transferred: calls the other, hangs the first call up, and ends with 0 when the second is over", async () => {
		const port = await freePort();
		const command = run("--listen", port, "--answer", "--once", "--tone", "600");
		await command.said("waiting for calls");
		const other = await open();
		const transferred = onCall(other, (call) => void call.answer());
		const { driver, answered } = await bareCall(Number(port));
		await answered;
		driver.feed({ kind: "request", leg: "a", transaction: "refer", method: "REFER", headers: [["Refer-To", `<${other.uri}>`]] });
		const call = await transferred;
		await command.said("answered: the first call is hung up");
		await expect.poll(() => call.received.durationMs, { timeout: 5000 }).toBeGreaterThan(400);
		expect(dominantTone(call.received.last(300), 8000)?.hz).toBeCloseTo(600, 0);
		expect(command.child.exitCode).toBeNull();
		call.hangup();
		const { code, out } = await command.done;
		await driver.close();
		expect(out).toContain(`asked to call ${other.uri} instead\n`);
		expect(out).toContain("the call after the transfer is over\n");
		expect(code).toBe(0);
	});

	it.each([
		["--busy", 486],
		["--decline", 603],
		["--reject=404", 404],
	])("%s gives %d", async (option, status) => {
		const port = await freePort();
		const command = run("--listen", port, option, "--once");
		await command.said("waiting for calls");
		const call = await (await open()).call(`sip:a@127.0.0.1:${port}`);
		expect(await call.ended()).toMatchObject({ status });
		expect((await command.done).code).toBe(0);
	});

	it("--no-answer rings until the caller gives up; a second caller hears busy", async () => {
		const port = await freePort();
		const command = run("--listen", port, "--no-answer");
		await command.said("waiting for calls");
		const phone = await open();
		const call = await phone.call(`sip:a@127.0.0.1:${port}`);
		await new Promise<void>((resolve) => call.once("ringing", resolve));
		expect(await (await phone.call(`sip:a@127.0.0.1:${port}`)).ended()).toMatchObject({ status: 486 });
		call.cancel();
		await command.said("not answered: the caller gave up");
		command.child.kill("SIGINT");
		expect((await command.done).code).toBe(0);
	});

	it("a port that is taken is one clear line", async () => {
		const { port } = await open();
		expect(await run("--listen", String(port)).done).toEqual({
			code: 1,
			out: "",
			err: `phone: UDP port ${port} on 127.0.0.1 is in use by another program\n`,
		});
	});
});
