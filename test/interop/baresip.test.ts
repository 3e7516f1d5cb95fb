import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWav, toMono, tone, writeWav } from "@trunkline/audio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { installed, run } from "./programs.ts";

const MODULES = "/usr/lib/baresip/modules";

/** baresip without sound card: plays a file, and its sndfile module writes what it hears. */
function configure(directory: string): void {
	writeFileSync(join(directory, "tone.wav"), writeWav(tone(8_000, 440, 20_000, -20), 8_000));
	const config = [
		"sip_listen 127.0.0.1:0",
		"net_interface 127.0.0.1",
		`audio_source aufile,${join(directory, "tone.wav")}`,
		"audio_player aubridge,nowhere",
		"audio_alert aubridge,nowhere",
		"ausrc_srate 8000",
		"auplay_srate 8000",
		"rtp_ports 23000-23100",
		`module_path ${MODULES}`,
		...["g711", "aubridge", "aufile", "sndfile"].map((module) => `module ${module}.so`),
		...["account", "menu"].map((module) => `module_app ${module}.so`),
		`snd_path ${directory}`,
	];
	writeFileSync(join(directory, "config"), `${config.join("\n")}\n`);
	writeFileSync(join(directory, "accounts"), "<sip:baresip@127.0.0.1>;regint=0;audio_codecs=pcma\n");
}

describe.skipIf(!installed("baresip"))("a call from baresip (needs baresip)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-baresip-"));

	beforeAll(async () => {
		bed = await Testbed.start();
		configure(directory);
	});
	afterAll(async () => {
		await bed.close();
		rmSync(directory, { recursive: true, force: true });
	});

	it("baresip hears the room and the room hears baresip", async () => {
		await bed.inbound("+15550300", "baresip");
		const agent = await bed.participant("baresip", "agent");
		await agent.speak(1_000);
		const call = run("baresip", ["-f", directory, "-e", `/dial ${bed.uri("+15550300")}`, "-t", "6"], 15_000);
		await until(() => agent.heardFrom().includes("sip_baresip"), "the participant to hear baresip");
		await settle();
		agent.take("sip_baresip");
		await settle(2_000);
		expectTones(agent.take("sip_baresip"), 48_000, [440], [1_000]);
		const { output } = await call;
		expect(output).toContain("Call established");

		const file = readdirSync(directory).find((name) => name.endsWith("-dec.wav"));
		if (file === undefined) throw new Error(`baresip wrote no recording:\n${output}`);
		const wav = parseWav(readFileSync(join(directory, file)));
		if (!wav.ok) throw new Error(wav.reason);
		const heard = toMono(wav.wav);
		expectTones(heard.subarray(-2 * 8_000), 8_000, [1_000], [440]);
		await bed.idle();
	});
});
