import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingCall, Phone } from "@trunkline/phone";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trunkline } from "./cli.ts";
import { clear, launch, Program, ROOT, serving, start, temporaryDirectory } from "./local-process.ts";
import { Testbed, until } from "./testbed.ts";

let bed: Testbed;
let phone: Phone;
const calls: IncomingCall[] = [];
let directory: string;
/** digits that the telephone heard */
let pressed = "";

beforeAll(async () => {
	bed = await Testbed.start();
	directory = mkdtempSync(join(tmpdir(), "trunkline-cli-"));
	phone = await bed.phone();
	phone.onIncoming((call) => {
		calls.push(call);
		call.on("dtmf", (digit) => {
			pressed += digit;
		});
		void call.answer();
	});
});
afterAll(async () => {
	await bed.close();
	rmSync(directory, { recursive: true, force: true });
});

const cli = (...argv: string[]) => trunkline(bed.local.url, ...argv);

/** The commands of the document, in its order; what starts a program of its own is tested below. */
function documented(file: string): string[] {
	const blocks = [...readFileSync(join(ROOT, "docs", file), "utf8").matchAll(/```sh\n([^]*?)```/g)].map(([, block = ""]) => block);
	return blocks.flatMap((block) => block.split("\n").flatMap((line) => /^npm run trunkline -- (?!up|phone)(.+)$/.exec(line)?.[1] ?? []));
}

/** As a shell splits them, as far as the documents go. */
const words = (line: string): string[] => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

describe("the commands of docs/cli.md", () => {
	it("pcap into a folder that is not there is told in one line", async () => {
		const call = await phone.call(`sip:+15550177@127.0.0.1:${bed.local.sipPort}`, { from: "+15551111" });
		await call.answered().catch(() => undefined);
		const file = join(directory, "none", "call.pcapng");
		await until(async () => (await cli("calls", "ladder", "last")).code === 0, "the call's trace");
		expect(await cli("calls", "pcap", "last", "-o", file)).toEqual({
			code: 1,
			out: "",
			err: `trunkline: ${file} cannot be written: ENOENT\n`,
		});
	});

	it("do what they say, one after the other", async () => {
		const made: { trunk?: string | undefined; rule?: string | undefined } = {};
		const lines = documented("cli.md");
		expect(lines.length).toBeGreaterThan(20);
		for (const line of lines) {
			const argv = words(line).map((word) =>
				word
					.replace("127.0.0.1:5070", `127.0.0.1:${phone.port}`)
					.replace("ST_3nVKGYxUmDbQ", made.trunk ?? word)
					.replace("SDR_3nVKGYxUmDbQ", made.rule ?? word)
					.replace(/^call\.pcapng$/, join(directory, "call.pcapng")),
			);
			const { code, out, err } = await cli(...argv);
			expect({ line, code, err: code === 0 ? "" : err }).toEqual({ line, code: 0, err: "" });
			expect(out, line).not.toBe("");
			made.trunk = /^inbound trunk (ST_\w+) is there/.exec(out)?.[1] ?? made.trunk;
			made.rule = /^rule (SDR_\w+) is there/.exec(out)?.[1] ?? made.rule;
			check[line.split(" ").slice(0, 2).join(" ")]?.(out);
			// What the telephone says of the call is not there in the same moment.
			if (line.startsWith("calls dtmf")) await until(() => pressed === "123#", "the digits at the telephone");
			if (line === "calls hangup last") await until(() => calls.at(-1)?.state === "ended", "the telephone's end of the call");
		}
		expect(readFileSync(join(directory, "call.pcapng")).readUInt32LE(0)).toBe(0x0a0d0d0a);
	});

	const check: Record<string, (out: string) => void> = {
		"call +15550123": (out) => expect(out).toBe('answered: sip_+15550123 is in the room "hello"\n'),
		"calls ladder": (out) => expect(out).toMatch(/── INVITE \(SDP\) ─+▶│[^]*◀─ 200 OK \(SDP\) ─+│[^]*── ACK ─+▶│/),
		"explain last": (out) => expect(out).toMatch(/was answered and ended after .*\nWhy: .*\nWhat to do: Nothing has to be mended\.\n$/),
		"explain --to": (out) => expect(out).toMatch(/is taken by dispatch rule SDR_\w+ and joins room "hall"/),
		"trunk set": (out) => expect(out).toMatch(/is changed/),
		"calls show": (out) => expect(out).toMatch(/^from {8}\+15550100$/m),
		"doctor --no-trunks": (out) => expect(out).toMatch(/^✓ API: .* answers and knows the key\n✓ clock: within 1 s/),
	};
});

describe("for people and scripts", () => {
	const COMMANDS = [
		["up"],
		...["list", "show", "add inbound", "add outbound", "set", "delete"].map((name) => ["trunk", ...name.split(" ")]),
		...["list", "show", "add", "set", "delete"].map((name) => ["rule", name]),
		["call"],
		...["list", "show", "ladder", "pcap", "hangup", "transfer", "dtmf"].map((name) => ["calls", name]),
		["explain"],
		["doctor"],
		["regions"],
	];

	it.each(COMMANDS.map((command) => [command.join(" "), command] as const))("%s --help has examples", async (name, command) => {
		const { code, out } = await cli(...command, "--help");
		expect(code).toBe(0);
		expect(out).toContain(`Usage: npm run trunkline -- ${name}`);
		expect(out).toContain(`Examples:\n  npm run trunkline -- ${name}`);
	});

	it("--json is JSON, and nothing else", async () => {
		for (const command of [["trunk", "list"], ["rule", "list"], ["calls", "list"], ["regions"], ["doctor", "--no-trunks"]]) {
			const { out, err } = await cli(...command, "--json");
			expect(() => JSON.parse(out) as unknown, command.join(" ")).not.toThrow();
			expect(err).toBe("");
		}
	});

	it.each([
		[["nonsense"], 2, /unknown command 'nonsense'/],
		[["call"], 2, /missing required argument 'number'/],
		[["explain"], 2, /either a call, or --to/],
		[["calls", "show", "SCL_none"], 1, /there is no call "SCL_none"/],
		[["trunk", "show", "ST_none"], 1, /there is no trunk "ST_none"; "trunk list" has those that there are/],
		[["trunk", "set", "ST_first", "--address", "a.example"], 1, /ST_first is an inbound trunk: it has no --address/],
		[["trunk", "add", "outbound", "--address", "sip:a.example"], 2, /host or host:port, without sip:/],
		[["rule", "add", "--name", "x"], 1, /--room, --prefix or --callee/],
		[["trunk", "add", "inbound", "--settings", "[1]"], 2, /must be a JSON object/],
		[["calls", "list", "--limit", "0"], 2, /from 1 to 100/],
	])("%j ends with exit code %i and one reason", async (argv, code, reason) => {
		const ran = await cli(...argv);
		expect(ran.code).toBe(code);
		expect(ran.err).toMatch(reason);
		expect(ran.out).toBe("");
	});

	it("says that nobody answers, and that the key is not known", async () => {
		expect(await trunkline("http://127.0.0.1:1", "calls", "list")).toMatchObject({
			code: 3,
			err: expect.stringMatching(/no server answers at/) as unknown,
		});
		const other = await Testbed.start({ LIVEKIT_API_KEY: "mine", LIVEKIT_API_SECRET: "a secret that is not that of npm start" });
		try {
			for (const command of [
				["calls", "list"],
				["trunk", "list"],
			])
				expect(await trunkline(other.local.url, ...command)).toMatchObject({
					code: 3,
					err: expect.stringMatching(/does not accept the API key/) as unknown,
				});
		} finally {
			await other.close();
		}
	});

	it("sends no token of a key that everybody knows to another machine", async () => {
		expect(await trunkline("http://192.0.2.1", "calls", "list")).toMatchObject({
			code: 2,
			err: "trunkline: for http://192.0.2.1 the variables TRUNKLINE_API_KEY and TRUNKLINE_API_SECRET must be set\n",
		});
	});
});

describe("as a program", () => {
	it("up starts everything, phone is a telephone, and what died with a call is told to have died", async () => {
		const data = temporaryDirectory();
		const MAIN = join(ROOT, "packages/cli/src/main.ts");
		try {
			const up = await serving(
				new Program([process.execPath, MAIN, "up"], { PORT: "0", SIP_PORT: "0", RTP_PORT_RANGE: "21000-29000", DATA_DIR: data }),
			);
			const ring = new Program([
				process.execPath,
				MAIN,
				"phone",
				`sip:+15550100@127.0.0.1:${up.sipPort}`,
				"--from",
				"+15551111",
				"--timeout",
				"20",
			]);
			await until(
				async () => (await trunkline(up.url, "calls", "list", "--live")).out.includes("+15551111"),
				"the telephone's call",
				20_000,
			);
			const ended = await trunkline(up.url, "calls", "hangup", "last");
			expect(ended.code).toBe(0);
			expect((await ring.exited).code).toBe(1);
			up.kill("SIGINT");
			expect(await up.exited).toMatchObject({ code: 0 });

			const first = await start({ DATA_DIR: data });
			const again = new Program([process.execPath, MAIN, "phone", `sip:+15550100@127.0.0.1:${first.sipPort}`, "--from", "+15552222"]);
			await until(async () => (await trunkline(first.url, "calls", "list", "--live")).out.includes("+15552222"), "the second call", 20_000);
			// A trace is in the store a second after the message.
			await until(async () => (await trunkline(first.url, "calls", "ladder", "last")).out.includes("INVITE (SDP)"), "its trace");
			first.kill("SIGKILL");
			await first.exited;
			again.kill("SIGINT");
			const second = await serving(launch({ DATA_DIR: data }));
			expect((await trunkline(second.url, "explain", "last", "--json")).out).toContain('"cause": "node-lost"');
			expect((await trunkline(second.url, "calls", "ladder", "last")).out).toContain("INVITE (SDP)");
		} finally {
			await clear();
		}
	});
});
