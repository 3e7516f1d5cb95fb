import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { trunkline } from "./cli.ts";
import { type Block, commandsOf, printed, sectionsOf, words } from "./documents.ts";
import { clear, expectUdpFree, Program, ROOT } from "./local-process.ts";
import { Testbed, until } from "./testbed.ts";

let bed: Testbed;
let directory: string;
/** free ports in the place of those that the documents name */
let ports: Record<string, number>;

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "trunkline-documents-"));
	const authority = await TestAuthority.create();
	const { cert, key } = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
	for (const [name, text] of Object.entries({ "cert.pem": cert, "key.pem": key, "ca.pem": authority.cert }))
		writeFileSync(join(directory, name), text);
	ports = { "5070": await freePort(), "5072": await freePort() };
});
afterEach(clear);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The document's first section is what each of its programs begins with. */
describe.each(["quickstart.md", "features.md"])("docs/%s", (file) => {
	const [head, ...sections] = sectionsOf(readFileSync(join(ROOT, "docs", file), "utf8"));
	const prelude = head?.blocks.filter(({ language }) => language === "js").map(({ text }) => text);

	beforeAll(async () => {
		bed = await Testbed.start({
			SIP_TLS_PORT: "0",
			SIP_TLS_CERT_FILE: join(directory, "cert.pem"),
			SIP_TLS_KEY_FILE: join(directory, "key.pem"),
		});
	});
	afterAll(() => bed.close());

	it.each(sections.filter(({ blocks }) => blocks.length > 0))("$title", async ({ blocks }) => {
		const terminals: Program[] = [];
		let said = "";
		let exactly = false;
		for (const block of blocks) {
			if (block.language !== "text") exactly = block.language === "js";
			if (block.language === "js") said = await run(`${prelude?.join("") ?? ""}${block.text}`);
			else if (block.language === "sh") said = await shell(block, terminals);
			else if (block.info === "terminal") await someTerminal(terminals, here(block.text));
			else expect(said).toMatch(printed(here(block.text), exactly));
		}
	});
});

/** A program of the document, to its end; what it prints. */
async function run(source: string): Promise<string> {
	const { url, apiKey, apiSecret } = { ...bed.access, url: bed.local.url };
	const program = new Program([process.execPath, "--input-type=module", "--eval", here(source)], {
		LIVEKIT_URL: url,
		LIVEKIT_API_KEY: apiKey,
		LIVEKIT_API_SECRET: apiSecret,
	});
	expect(await program.exited, `${source}\n${program.stderr}`).toMatchObject({ code: 0 });
	return program.stdout;
}

/** Each line in a terminal of its own, where it goes on until the section is over. */
async function shell(block: Block, terminals: Program[]): Promise<string> {
	let said = "";
	for (const line of commandsOf(block)) {
		const { env, argv } = words(here(line));
		const [command = "", ...args] = argv.slice(2);
		if (argv[0] !== "npm" || argv[1] === "start") continue;
		if (command === "trunkline") {
			let ran = await trunkline(bed.local.url, ...args.slice(1));
			// A trace is written a second after the last message, and says so.
			for (const end = performance.now() + 10_000; ran.err.includes("has no trace") && performance.now() < end; await delay(200))
				ran = await trunkline(bed.local.url, ...args.slice(1));
			expect(ran.code, `${line}\n${ran.err}`).toBe(0);
			said = ran.out;
		} else terminals.push(await terminal(command, args[0] === "--" ? args.slice(1) : args, env));
	}
	return said;
}

/** A telephone, or an example: running, and past the first thing that it does. */
async function terminal(command: string, args: readonly string[], env: Record<string, string>): Promise<Program> {
	const [file = "", ...rest] = command === "phone" ? ["packages/phone/src/main.ts", ...args] : args;
	const program = new Program([process.execPath, "--disable-warning=ExperimentalWarning", join(ROOT, file), ...rest], {
		LIVEKIT_URL: bed.access.url.replace("http", "ws"),
		LIVEKIT_API_KEY: bed.access.apiKey,
		LIVEKIT_API_SECRET: bed.access.apiSecret,
		...env,
	});
	await program.says(command !== "phone" || args.includes("--listen") ? /waiting for calls/ : /answered after/);
	return program;
}

async function someTerminal(terminals: readonly Program[], text: string): Promise<void> {
	await until(
		() => terminals.some(({ stdout }) => printed(text).test(stdout)),
		() => `${text} in one of\n${terminals.map(({ stdout, stderr }) => stdout + stderr).join("\n---\n")}`,
		20_000,
	);
}

/** With the addresses of this machine's processes in the place of those of `npm start`. */
function here(text: string): string {
	return text
		.replace(/\b(5070|5072)\b/g, (port) => String(ports[port]))
		.replace("@localhost;transport=tls", `@localhost:${bed.local.sipTlsPort};transport=tls`)
		.replace(/(sip:\+\d+@127\.0\.0\.1)(?=\s|$|")/gm, `$1:${bed.local.sipPort}`)
		.replace("=cert.pem", `=${join(directory, "ca.pem")}`);
}

/** For UDP and for TCP, as far as can be known. */
async function freePort(): Promise<number> {
	const port = 30_000 + Math.floor(Math.random() * 2_000);
	return expectUdpFree(port).then(
		() => port,
		() => freePort(),
	);
}
