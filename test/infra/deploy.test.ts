import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SECRETS } from "../../infra/secret-names.ts";
import { deploy, SECRETS as ASKED } from "../../scripts/deploy.mjs";
import { remove } from "../../scripts/remove.mjs";
import { credentialsIn } from "../../scripts/stage-tools.mjs";
import { ROOT } from "./graph.ts";

let home: string;
let config: string;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "trunkline-deploy-"));
	config = join(home, "config.json");
});
afterEach(() => rmSync(home, { recursive: true }));

const KEYS = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
const LIVEKIT = { LIVEKIT_URL: "wss://rooms.example.com", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "a-long-secret" };

/** What reaches outside, and what it was asked for. */
function tools(given: { known?: string[]; docker?: number; terminal?: boolean; answers?: string[] } = {}) {
	const asked: string[] = [];
	const commands: string[] = [];
	const inputs: string[] = [];
	const said: string[] = [];
	const { known = [], docker = 0, terminal = false, answers = [] } = given;
	return {
		asked,
		commands,
		inputs,
		said,
		home,
		terminal,
		run: async () => ({ code: docker, output: "" }),
		sst: async (args: string[], _environment: unknown, { input }: { input?: string } = {}) => {
			commands.push(args.join(" "));
			if (input !== undefined) inputs.push(input);
			if (args[1] !== "list") return { code: 0, output: "" };
			return known.length === 0
				? { code: 1, output: "✕  No secrets found" }
				: { code: 0, output: ["# trunkline/dev", ...known.map((name) => `${name}=value`)].join("\n") };
		},
		ask: async (question: string) => {
			asked.push(question);
			return answers.shift() ?? "";
		},
		say: (text: string) => void said.push(text),
	};
}

describe("npm run deploy", () => {
	it("the first time it asks for three things, makes up the others, writes down where the stage is, and deploys", async () => {
		const outside = tools({ terminal: true, answers: Object.values(LIVEKIT) });
		const code = await deploy(["--regions", "eu-west-1, us-east-1"], { ...KEYS, TRUNKLINE_CONFIG: config }, outside);
		expect(code).toBe(0);
		expect(outside.asked).toHaveLength(3);
		expect(outside.commands).toEqual([
			"secret list --stage dev",
			...Object.keys(ASKED).map((name) => `secret set ${name} --stage dev`),
			"deploy --stage dev",
		]);
		expect(outside.inputs.slice(0, 3)).toEqual(Object.values(LIVEKIT));
		const [nonce = "", admin = ""] = outside.inputs.slice(3);
		expect([nonce.length, admin.length, nonce === admin]).toEqual([43, 43, false]);
		expect(JSON.parse(readFileSync(config, "utf8"))).toEqual({ stages: { dev: { regions: ["eu-west-1", "us-east-1"] } } });
		expect(outside.said.join()).not.toContain("a-long-secret");
	});

	it("later it asks for nothing", async () => {
		writeFileSync(config, JSON.stringify({ stages: { dev: { regions: ["eu-west-1"] } } }));
		const outside = tools({ known: Object.keys(ASKED) });
		expect(await deploy([], { ...KEYS, TRUNKLINE_CONFIG: config }, outside)).toBe(0);
		expect(outside.commands).toEqual(["secret list --stage dev", "deploy --stage dev"]);
	});

	it("without a terminal it takes the environment's values, and says which one is missing", async () => {
		const outside = tools({});
		expect(await deploy([], { ...KEYS, ...LIVEKIT, TRUNKLINE_CONFIG: config }, outside)).toBe(0);
		expect(outside.inputs.slice(0, 3)).toEqual(Object.values(LIVEKIT));
		const without = { ...LIVEKIT, LIVEKIT_API_KEY: "" };
		await expect(deploy([], { ...KEYS, ...without, TRUNKLINE_CONFIG: config }, tools({}))).rejects.toThrow(
			/LIVEKIT_API_KEY must be set: there is no terminal/,
		);
	});

	it("adds a region, and takes none away", async () => {
		writeFileSync(config, JSON.stringify({ stages: { dev: { regions: ["eu-west-1"], zones: 2 } } }));
		await deploy(["--regions", "eu-west-1,us-east-1"], { ...KEYS, TRUNKLINE_CONFIG: config }, tools({ known: Object.keys(ASKED) }));
		expect(JSON.parse(readFileSync(config, "utf8"))).toEqual({ stages: { dev: { regions: ["eu-west-1", "us-east-1"], zones: 2 } } });
		for (const regions of ["eu-west-1", "us-east-1,eu-west-1"])
			await expect(deploy(["--regions", regions], { ...KEYS, TRUNKLINE_CONFIG: config }, tools())).rejects.toThrow(
				/is in eu-west-1, us-east-1/,
			);
	});

	it("says all that is missing at once, before it writes or asks anything", async () => {
		const outside = tools({ docker: 127 });
		await expect(deploy(["--regions", "eu-west-1"], { TRUNKLINE_CONFIG: config }, outside)).rejects.toThrow(
			/No AWS credentials.*Docker was not found/s,
		);
		expect(outside.commands).toEqual([]);
		expect(() => readFileSync(config)).toThrow("ENOENT");
	});

	it("refuses settings that cannot be before AWS hears of them", async () => {
		writeFileSync(config, JSON.stringify({ stages: { dev: { regions: ["eu-west-1"], zoones: 2 } } }));
		const outside = tools({});
		await expect(deploy([], { ...KEYS, TRUNKLINE_CONFIG: config }, outside)).rejects.toThrow(/Unrecognized key: "zoones"/);
		expect(outside.commands).toEqual([]);
	});

	it("sets the secrets that infra/ reads, and no others", () => {
		expect(Object.keys(ASKED).toSorted()).toEqual(Object.values(SECRETS).toSorted());
	});

	it("as a program it fails in words, without a stack and without the network", () => {
		const environment = { ...process.env, AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_PROFILE: "" };
		const script = join(ROOT, "scripts/deploy.mjs");
		const { status, stderr, stdout } = spawnSync(process.execPath, [script], {
			encoding: "utf8",
			env: { ...environment, HOME: home, USERPROFILE: home, PATH: home, TRUNKLINE_CONFIG: config },
		});
		expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
		expect(stderr).toMatch(/^trunkline: No AWS credentials were found/);
		expect(stderr).not.toMatch(/^\s+at /m);
		const help = spawnSync(process.execPath, [script, "--help"], { encoding: "utf8" });
		expect(help.stdout).toMatch(/^npm run deploy -- \[--stage dev\]/);
	});
});

describe("npm run remove", () => {
	it("asks for the stage's name, and never removes production", async () => {
		const yes = tools({ terminal: true, answers: ["dev"] });
		expect(await remove([], KEYS, yes)).toBe(0);
		expect(yes.commands).toEqual(["remove --stage dev"]);
		const no = tools({ terminal: true, answers: ["prod"] });
		await expect(remove([], KEYS, no)).rejects.toThrow("nothing was removed");
		await expect(remove(["--stage", "production", "--yes"], KEYS, no)).rejects.toThrow("is protected");
		await expect(remove([], KEYS, tools())).rejects.toThrow("--yes removes without a question");
		await expect(remove(["--yes"], {}, no)).rejects.toThrow("No AWS credentials");
		expect(no.commands).toEqual([]);
	});
});

describe("credentials", () => {
	const file = (name: string, text: string): void => {
		mkdirSync(join(home, ".aws"), { recursive: true });
		writeFileSync(join(home, ".aws", name), text);
	};

	it("are found where the AWS SDK would find them", () => {
		expect(credentialsIn({}, home)).toBeUndefined();
		expect(credentialsIn(KEYS, home)).toBe("AWS_ACCESS_KEY_ID");
		expect(credentialsIn({ AWS_ACCESS_KEY_ID: "alone" }, home)).toBeUndefined();
		expect(credentialsIn({ AWS_WEB_IDENTITY_TOKEN_FILE: "/token", AWS_ROLE_ARN: "arn" }, home)).toBe("AWS_WEB_IDENTITY_TOKEN_FILE");
		file("config", "[default]\nregion = eu-west-1\n[profile work]\nsso_session = corp\n");
		expect(credentialsIn({}, home)).toBeUndefined();
		expect(credentialsIn({ AWS_PROFILE: "work" }, home)).toBe("the profile work");
		file("credentials", "[default]\naws_access_key_id = key\n");
		expect(credentialsIn({}, home)).toBe("the profile default");
		expect(credentialsIn({ AWS_PROFILE: "other" }, home)).toBeUndefined();
	});
});
