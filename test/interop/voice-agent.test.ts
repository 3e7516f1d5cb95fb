// LiveKit Agents, unmodified, answers a telephone call: the example of examples/voice-agent, whose ears, model and voice do what a script says.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { dominantTone } from "@trunkline/audio";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { settle } from "../e2e/tones.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLE = join(ROOT, "examples/voice-agent");
/** With its 290 MB of dependencies, which nothing else here needs: fetched once for the test, as its user fetches them. */
const INSTALLED = join(ROOT, "node_modules/.cache/voice-agent");
const INSTALL_WITHIN_MS = 180_000;

const missing = install();
if (missing !== undefined) process.stderr.write(`LiveKit Agents does not answer a call here: ${missing}\n`);

/** Gives what is in the way; undefined: it is there. */
function install(): string | undefined {
	mkdirSync(INSTALLED, { recursive: true });
	for (const file of ["agent.mjs", "scripted.mjs", "package.json"]) cpSync(join(EXAMPLE, file), join(INSTALLED, file));
	if (existsSync(join(INSTALLED, "node_modules/@livekit/agents/package.json"))) return undefined;
	process.stderr.write("Fetching LiveKit Agents for a test (290 MB, once) …\n");
	const { status, stderr } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], {
		cwd: INSTALLED,
		encoding: "utf8",
		timeout: INSTALL_WITHIN_MS,
	});
	if (status === 0) return undefined;
	rmSync(INSTALLED, { recursive: true, force: true });
	return `npm could not fetch it (${stderr?.trim().split("\n").at(-1) ?? "no npm"})`;
}

/** the voice of scripted.mjs: words of 160 ms, each with its own pitch */
const WORD = (8_000 * 160) / 1000;
const QUIET_MS = 400;
const pitches = (text: string): number[] => text.split(" ").map((word) => 500 + 50 * (word.length % 11));

describe.skipIf(missing !== undefined)("a voice agent made with LiveKit Agents (needs npm to fetch it)", () => {
	let bed: Testbed;
	let agent: ChildProcess | undefined;
	const said: string[] = [];
	beforeAll(async () => {
		bed = await Testbed.start();
	});
	afterEach(async () => {
		if (agent?.exitCode === null) {
			agent.kill("SIGKILL");
			await once(agent, "exit");
		}
		await bed.clear();
	});
	afterAll(() => bed.close());

	test("greets the caller, answers a question, transfers to a human", async () => {
		const human = await bed.phone();
		human.onIncoming((call) => void call.answer());
		const { url, apiKey, apiSecret } = bed.access;
		agent = spawn(process.execPath, ["agent.mjs", "shop"], {
			cwd: INSTALLED,
			env: {
				...process.env,
				LIVEKIT_URL: url.replace(/^http/, "ws"),
				LIVEKIT_API_KEY: apiKey,
				LIVEKIT_API_SECRET: apiSecret,
				TRANSFER_TO: `sip:human@127.0.0.1:${human.port}`,
			},
			stdio: ["ignore", "pipe", "pipe"],
		});
		agent.stdout?.on("data", (text: Buffer) => said.push(...text.toString().split("\n")));
		agent.stderr?.on("data", (text: Buffer) => said.push(...text.toString().split("\n")));
		const heardOf = (line: string): Promise<void> =>
			until(
				() => said.includes(line),
				() => `the agent to say ${JSON.stringify(line)}: ${said.join("\n")}`,
				20_000,
			);
		await heardOf('in the room "shop"; waiting for calls. Ctrl-C leaves.');

		await bed.inbound("+15550900", "shop");
		const phone = await bed.phone();
		let followed = false;
		phone.onReferral((referral) => void referral.follow().then(() => (followed = true)));
		const call = await phone.call(bed.uri("+15550900"), { from: "+15551111" });
		await call.answered();
		await heardOf("agent: Hello, this is the shop.");
		await settle(QUIET_MS);
		expect(wordsHeard(call.received.pcm())).toEqual(pitches("Hello, this is the shop."));

		call.received.clear();
		speak(call);
		await heardOf("caller: when do you open");
		await heardOf("agent: We open at nine.");
		await settle(QUIET_MS);
		expect(wordsHeard(call.received.pcm())).toEqual(pitches("We open at nine."));

		speak(call);
		await heardOf("caller: I want to talk to a human");
		await until(
			() => followed,
			() => `the call to be transferred: ${said.join("\n")}`,
			20_000,
		);
		await heardOf("the call is over");
	});
});

/** Something of 600 ms that is no word, and silence. */
function speak(call: { setSource(source: (frame: Int16Array) => boolean): void }): void {
	let frames = 0;
	call.setSource((frame) => {
		const sounding = frames++ < 30;
		for (let i = 0; i < frame.length; i++)
			frame[i] = sounding ? Math.round(8_000 * Math.sin((2 * Math.PI * 440 * (frames * frame.length + i)) / 8_000)) : 0;
		return true;
	});
}

/** Pitches of the voice in what was heard, rounded to its steps; one for each word, as no two words that follow each other share one. */
function wordsHeard(pcm: Int16Array): number[] {
	const frame = WORD / 4;
	const heard: number[] = [];
	let before = 0;
	for (let at = 0; at + frame <= pcm.length; at += frame) {
		const tone = dominantTone(pcm.subarray(at, at + frame), 8_000);
		const pitch = tone === undefined || tone.levelDb < -40 ? 0 : 50 * Math.round(tone.hz / 50);
		// twice in a row: a frame in which one word ends and the next begins may show something between
		if (pitch !== 0 && pitch === before && heard.at(-1) !== pitch) heard.push(pitch);
		before = pitch;
	}
	return heard;
}
