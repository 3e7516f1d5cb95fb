// npm run deploy: from a clone to a stage in an AWS account. docs/deploy.md says what is made, and what it costs.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSettings, settingsOf } from "../infra/settings.ts";
import { root } from "./checks.mjs";
import { argumentsOf, ask, credentialsIn, main, NO_CREDENTIALS, NO_DOCKER, run, sst, StageError } from "./stage-tools.mjs";

const USAGE = `npm run deploy -- [--stage dev] [--regions eu-west-1,us-east-1]

Deploys a stage, or brings one up to date. The first time it asks for the URL, the API key and the secret of your LiveKit server; without a
terminal it takes LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET from the environment.

  --stage      name of the stage: dev for trying out, production for what must not be lost
  --regions    AWS regions, the first is home; kept in trunkline.config.json (default: AWS_REGION, or us-east-1)
  --help       this text

Needs AWS credentials and Docker. What else can be set, and what it costs: docs/deploy.md`;

/** SST secret → the environment's name and the question, or nothing for those that are made up. */
export const SECRETS = {
	LivekitUrl: { variable: "LIVEKIT_URL", question: "URL of your LiveKit server (wss://…): ", shape: /^(wss?|https?):\/\/[^\s]+$/ },
	LivekitApiKey: { variable: "LIVEKIT_API_KEY", question: "Its API key: ", shape: /^\S+$/ },
	LivekitApiSecret: { variable: "LIVEKIT_API_SECRET", question: "Its API secret (not shown): ", shape: /^\S{8,}$/, secret: true },
	NonceSecret: undefined,
	AdminSecret: undefined,
};

/** `tools`: what reaches outside. Gives the exit code; throws StageError for what a person can mend, before anything is made. */
export async function deploy(argv, environment, tools) {
	const { stage, regions, region, help } = argumentsOf(argv, { regions: { type: "string" }, region: { type: "string" } }, USAGE);
	if (help) {
		tools.say(USAGE);
		return 0;
	}
	const file = environment.TRUNKLINE_CONFIG ?? join(root, "trunkline.config.json");
	const wanted = regionsOf(regions ?? region);
	const changed = withStage(file, stage, wanted, environment.AWS_REGION);
	const settings = changed === undefined ? readSettings(stage, root, environment) : settingsOf(stage, changed, file);
	await checkMachine(environment, tools);
	if (changed !== undefined) {
		writeFileSync(file, `${JSON.stringify(changed, undefined, "\t")}\n`);
		tools.say(`${file} has the stage ${stage} now: ${settings.regions.join(", ")}`);
	}
	await setSecrets(stage, environment, tools);
	const { code } = await tools.sst(["deploy", "--stage", stage], environment);
	if (code === 0) tools.say(`Deployed. Keys and secrets: npx sst secret list --stage ${stage}`);
	return code;
}

function regionsOf(text) {
	return text
		?.split(",")
		.map((region) => region.trim())
		.filter((region) => region !== "");
}

/** The settings with the stage in them; undefined when they are as wanted. A stage's regions are written down, so that they never depend on who deploys. */
function withStage(file, stage, wanted, ownRegion) {
	let settings = { stages: {} };
	try {
		if (existsSync(file)) settings = JSON.parse(readFileSync(file, "utf8"));
	} catch (error) {
		throw new StageError(`${file}: ${error.message}`);
	}
	const known = settings.stages?.[stage];
	if (wanted === undefined && known?.regions !== undefined) return undefined;
	const regions = wanted ?? [ownRegion || "us-east-1"];
	if (known?.regions !== undefined) {
		if (known.regions.join() === regions.join()) return undefined;
		const gone = known.regions.filter((region) => !regions.includes(region));
		if (gone.length > 0 || known.regions[0] !== regions[0])
			throw new StageError(
				`the stage ${stage} is in ${known.regions.join(", ")}. Regions can be added; to take ${gone.join(", ") || "home"} away would delete what is there. ` +
					`Whoever means it changes ${file}.`,
			);
	}
	return { ...settings, stages: { ...settings.stages, [stage]: { ...known, regions } } };
}

/** All that is missing, at once. */
async function checkMachine(environment, tools) {
	const missing = [];
	if (credentialsIn(environment, tools.home) === undefined) missing.push(NO_CREDENTIALS);
	const docker = await tools.run("docker", ["buildx", "inspect"], { environment, quiet: true });
	if (docker.code !== 0) missing.push(NO_DOCKER);
	if (missing.length > 0) throw new StageError(missing.join("\n\n"));
}

async function setSecrets(stage, environment, tools) {
	const { code, output } = await tools.sst(["secret", "list", "--stage", stage], environment, { quiet: true });
	if (code !== 0 && !output.includes("No secrets found"))
		throw new StageError(
			`the secrets of the stage cannot be read:\n${output.trim()}\nAre the AWS credentials still good? (aws sts get-caller-identity)`,
		);
	const known = new Set([...output.matchAll(/^(\w+)=/gm)].map(([, name]) => name));
	for (const [name, asked] of Object.entries(SECRETS)) {
		const given = asked === undefined ? undefined : environment[asked.variable];
		if (known.has(name) && !given) continue;
		const value = asked === undefined ? randomBytes(32).toString("base64url") : given || (await answer(asked, tools));
		if (asked !== undefined && !asked.shape.test(value)) throw new StageError(`${asked.variable} cannot be used: it has the wrong shape`);
		// By standard input: arguments of a program are seen by everybody on the machine.
		const set = await tools.sst(["secret", "set", name, "--stage", stage], environment, { input: value, quiet: true });
		if (set.code !== 0) throw new StageError(`the secret ${name} could not be set:\n${set.output.trim()}`);
		tools.say(`${name} is set`);
	}
}

async function answer({ variable, question, secret }, tools) {
	if (!tools.terminal) throw new StageError(`${variable} must be set: there is no terminal to ask in`);
	return tools.ask(question, { secret });
}

if (process.argv[1] === import.meta.filename) {
	const say = (text) => process.stdout.write(`${text}\n`);
	await main(() => deploy(process.argv.slice(2), process.env, { run, sst, ask, say, terminal: process.stdin.isTTY === true }));
}
