import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseWav, toMono, tone, writeWav } from "@trunkline/audio";
import { expect } from "vitest";
import type { Participant } from "../e2e/participant.ts";
import { until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";

const MODULES = "/usr/lib/baresip/modules";

export interface BaresipOptions {
	transport?: "udp" | "tcp" | "tls";
	codec?: "pcmu" | "pcma" | "G722";
	/** SDES, mandatory */
	srtp?: boolean;
	/** DTLS-SRTP (OpenSSL's) */
	dtls?: boolean;
	/** with RTCP on the port of RTP */
	ice?: boolean;
	/** file with the certificates that TLS trusts */
	ca?: string;
	/** answers calls by itself */
	answers?: boolean;
}

/** EADDRINUSE, with which it exits */
const ADDRESS_IN_USE = 98;
const TRIES = 5;

export interface BaresipEvent {
	type: string;
	param?: string;
}

/** baresip without a sound card: it plays a tone of 440 Hz, writes what it hears, and is driven over its TCP control (ctrl_tcp). */
export class Baresip {
	readonly events: BaresipEvent[] = [];
	/** where it can be called */
	readonly uri: string;
	readonly #child: ChildProcess;
	readonly #control: Socket;
	readonly #directory: string;
	#received = Buffer.alloc(0);

	static async start(directory: string, options: BaresipOptions = {}): Promise<Baresip> {
		mkdirSync(directory, { recursive: true });
		for (let tries = 1; ; tries++) {
			const [control, sip] = [await freePort(), await freePort()];
			configure(directory, options, control, sip);
			const child = spawn("baresip", ["-f", directory], { stdio: "ignore" });
			try {
				const socket = await connected(control, child);
				return new Baresip(child, socket, directory, `sip:baresip@127.0.0.1:${sip}`);
			} catch (error) {
				// A port that was free for TCP may be taken for UDP, or by now.
				if (child.exitCode !== ADDRESS_IN_USE || tries === TRIES) throw error;
			}
		}
	}

	private constructor(child: ChildProcess, control: Socket, directory: string, uri: string) {
		this.#child = child;
		this.#control = control;
		this.#directory = directory;
		this.uri = uri;
		control.on("data", (chunk) => this.#read(chunk));
		control.on("error", () => {});
	}

	/** One of its commands, such as dial, hold, resume, hangup. */
	do(command: string, params = ""): void {
		const text = JSON.stringify({ command, params });
		this.#control.write(`${Buffer.byteLength(text)}:${text},`);
	}

	has(type: string): boolean {
		return this.events.some((event) => event.type === type);
	}

	/** What it heard, 8 kHz; once the call is over. */
	heard(): Int16Array {
		const file = readdirSync(this.#directory).find((name) => name.endsWith("-dec.wav"));
		if (file === undefined) throw new Error(`baresip wrote no recording; it told ${JSON.stringify(this.events)}`);
		const wav = parseWav(readFileSync(join(this.#directory, file)));
		if (!wav.ok) throw new Error(wav.reason);
		return toMono(wav.wav);
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			const gone = new Promise((resolve) => this.#child.once("exit", resolve));
			this.do("quit");
			const limit = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
			await gone;
			clearTimeout(limit);
		}
		this.#control.destroy();
	}

	/** Netstrings of JSON: events and answers to commands. */
	#read(chunk: Buffer): void {
		this.#received = Buffer.concat([this.#received, chunk]);
		for (;;) {
			const colon = this.#received.indexOf(":");
			if (colon < 0) return;
			const length = Number(this.#received.subarray(0, colon).toString());
			if (this.#received.length < colon + length + 2) return;
			const message = JSON.parse(this.#received.subarray(colon + 1, colon + 1 + length).toString()) as BaresipEvent & { event?: boolean };
			if (message.event === true) this.events.push(message);
			this.#received = this.#received.subarray(colon + length + 2);
		}
	}
}

function configure(
	directory: string,
	{ transport = "udp", codec = "pcma", srtp = false, dtls = false, ice = false, ca, answers = false }: BaresipOptions,
	control: number,
	sip: number,
): void {
	// it plays a file only at the rate of the codec
	const rate = codec === "G722" ? 16_000 : 8_000;
	writeFileSync(join(directory, "tone.wav"), writeWav(tone(rate, 440, 20_000, -20), rate));
	const config = [
		`sip_listen 127.0.0.1:${sip}`,
		...(ca === undefined ? [] : [`sip_cafile ${ca}`]),
		"net_interface 127.0.0.1",
		`ctrl_tcp_listen 127.0.0.1:${control}`,
		`audio_source aufile,${join(directory, "tone.wav")}`,
		"audio_player aubridge,nowhere",
		"audio_alert aubridge,nowhere",
		"rtp_ports 23000-23100",
		...(ice ? ["rtcp_mux yes"] : []),
		`module_path ${MODULES}`,
		...["g711", "g722", "srtp", ...(dtls ? ["dtls_srtp"] : []), ...(ice ? ["ice"] : []), "aubridge", "aufile", "sndfile"].map(
			(module) => `module ${module}.so`,
		),
		...["account", "menu", "ctrl_tcp"].map((module) => `module_app ${module}.so`),
		`snd_path ${directory}`,
	];
	writeFileSync(join(directory, "config"), `${config.join("\n")}\n`);
	const account = [
		"regint=0",
		`audio_codecs=${codec}`,
		...(srtp ? ["mediaenc=srtp-mand"] : []),
		...(dtls ? ["mediaenc=dtls_srtp"] : []),
		...(ice ? ["medianat=ice"] : []),
		...(answers ? ["answermode=auto"] : []),
	];
	writeFileSync(join(directory, "accounts"), `<sip:baresip@127.0.0.1;transport=${transport}>;${account.join(";")}\n`);
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

async function connected(port: number, child: ChildProcess): Promise<Socket> {
	for (let attempt = 0; attempt < 100; attempt++) {
		const socket = connect(port, "127.0.0.1");
		const ok = await new Promise<boolean>((resolve) => {
			socket.once("connect", () => resolve(true));
			socket.once("error", () => resolve(false));
		});
		if (ok) return socket;
		socket.destroy();
		if (child.exitCode !== null) throw new Error(`baresip ended with ${child.exitCode}`);
		await delay(50);
	}
	child.kill("SIGKILL");
	throw new Error("baresip does not listen for commands");
}

/** The room hears baresip's 440 Hz now, and nothing of its own 1,000. */
export async function expectTalk(agent: Participant, phone: Baresip, identity: string): Promise<void> {
	await until(() => agent.heardFrom().includes(identity), "the participant to hear baresip");
	await settle();
	agent.take(identity);
	await settle(1_500);
	expectTones(agent.take(identity), 48_000, [440], [1_000]);
	expect(phone.has("CALL_ESTABLISHED")).toBe(true);
}
