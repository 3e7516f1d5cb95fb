import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { run } from "../../packages/cli/src/program.ts";
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
	it("the ladder of a call that ended a moment ago is waited for; pcap into a folder that is not there is told in one line", async () => {
		const call = await phone.call(`sip:+15550177@127.0.0.1:${bed.local.sipPort}`, { from: "+15551111" });
		await call.answered().catch(() => undefined);
		const file = join(directory, "none", "call.pcapng");
		expect((await cli("calls", "ladder", "last")).out).toMatch(/── ACK ─|─ ACK ──/);
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
		[["rule", "add", "--name", "x"], 2, /--room, --prefix or --callee/],
		[["rule", "add", "--room", "x", "--prefix", "y"], 2, /give either/],
		[["rule", "set", "SDR_first"], 2, /nothing to change/],
		[["rule", "set", "SDR_none", "--name", "x"], 1, /there is no rule "SDR_none"; "rule list" has/],
		[["rule", "delete", "SDR_none"], 1, /^trunkline: there is no rule "SDR_none"; "rule list" has those that there are\n$/],
		[["trunk", "delete", "ST_none", "ST_other"], 1, /there is no trunk "ST_none", "ST_other"; "trunk list" has those that there are/],
		[["trunk", "set", "ST_first", "--json"], 2, /nothing to change/],
		[["trunk", "add", "outbound"], 2, /--address is needed/],
		[["call", "+15550123", "--trunk", "ST_none"], 1, /there is no outbound trunk "ST_none"; "trunk list --outbound" has/],
		[["calls", "show", ""], 2, /its id, or last/],
		[["doctor", "--dns", "carrier"], 2, /'carrier' is invalid\. It must be an IP address/],
		[["trunk", "list", "--nonsense"], 2, /; "npm run trunkline -- trunk list --help" says what there is\n$/],
		[["--url", "http://me:secret@127.0.0.1:7880", "calls", "list"], 2, /^trunkline: --url: .* is no URL of a server, such as http/],
		[["--url", "http://127.0.0.1:7880/api", "calls", "list"], 2, /is no URL of a server/],
		[["trunk", "add", "inbound", "--settings", "[1]"], 2, /must be a JSON object/],
		[["calls", "list", "--limit", "0"], 2, /from 1 to 100/],
	])("%j ends with exit code %i and one reason", async (argv, code, reason) => {
		const ran = await cli(...argv);
		expect(ran.code).toBe(code);
		expect(ran.err).toMatch(reason);
		expect(ran.err.trimEnd().split("\n")).toHaveLength(1);
		expect(ran.out).toBe("");
	});

	const idIn = ({ out }: { out: string }): string => /(?:ST|SDR)_\w+/.exec(out)?.[0] ?? "";

	it("deletes those that there are, and tells which there are not", async () => {
		const made = idIn(await cli("trunk", "add", "inbound", "--number", "+15550166"));
		expect(await cli("trunk", "delete", "ST_none", made)).toMatchObject({
			code: 1,
			out: `deleted: ${made}\n`,
			err: expect.stringContaining('no trunk "ST_none"') as unknown,
		});
		expect((await cli("trunk", "list")).out).not.toContain(made);
	});

	it("a new trunk whose settings are refused is none", async () => {
		const refused = await cli("trunk", "add", "inbound", "--number", "+15550155", "--settings", '{"nonsense":1}');
		expect(refused).toMatchObject({ code: 1, err: "trunkline: nonsense: there is no such field\n" });
		expect((await cli("trunk", "list")).out).not.toContain("+15550155");
	});

	it("a rule that gets another room keeps its PIN until it is told another", async () => {
		const trunk = idIn(await cli("trunk", "add", "inbound", "--number", "+15550144"));
		const rule = idIn(await cli("rule", "add", "--room", "vault", "--pin", "2468", "--trunk", trunk));
		const target = async (...change: string[]): Promise<unknown> => {
			expect((await cli("rule", "set", rule, ...change)).code).toBe(0);
			return (JSON.parse((await cli("rule", "show", rule, "--json")).out) as { rule: unknown }).rule;
		};
		expect(await target("--room", "hall")).toEqual({ dispatchRuleDirect: { roomName: "hall", pin: "2468" } });
		expect(await target("--pin", "1357")).toEqual({ dispatchRuleDirect: { roomName: "hall", pin: "1357" } });
		expect(await target("--prefix", "call-", "--pin", "")).toEqual({ dispatchRuleIndividual: { roomPrefix: "call-" } });
		for (const [kind, id] of [
			["rule", rule],
			["trunk", trunk],
		] as const)
			expect((await cli(kind, "delete", id)).code).toBe(0);
	});

	it("Ctrl-C while it rings hangs up", async () => {
		const ringing = await bed.phone();
		const heard: IncomingCall[] = [];
		ringing.onIncoming((call) => {
			heard.push(call);
			call.ring();
		});
		const trunk = idIn(
			await cli("trunk", "add", "outbound", "--address", `127.0.0.1:${ringing.port}`, "--number", "+15550133", "--transport", "udp"),
		);
		const MAIN = join(ROOT, "packages/cli/src/main.ts");
		const calling = new Program([process.execPath, MAIN, "--url", bed.local.url, "call", "+15550123", "--trunk", trunk]);
		await until(() => heard.length > 0, "the telephone's ringing", 20_000);
		calling.kill("SIGINT");
		expect((await calling.exited).code).toBe(130);
		await until(() => heard[0]?.state === "ended", "the end of the ringing");
		await cli("trunk", "delete", trunk);
	});

	it("what takes longer than a second says so, within the width of the terminal", async () => {
		const silent = createServer(() => {});
		await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
		const { port } = silent.address() as AddressInfo;
		let err = "";
		const streams = { out: () => {}, err: (text: string) => void (err += text), isTerminal: true, columns: 20 };
		const running = run(["--url", `http://127.0.0.1:${port}`, "calls", "list"], streams);
		await until(() => err !== "", "the note");
		expect(err).toBe("\rwaiting for the ser");
		silent.close();
		silent.closeAllConnections();
		expect(await running).toBe(3);
		expect(err).toMatch(/\r {19}\rtrunkline: no server answers at/);
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
