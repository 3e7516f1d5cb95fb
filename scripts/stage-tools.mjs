// What `npm run deploy` and `npm run remove` share: arguments, what must be there before AWS is asked anything, and the SST command.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { root } from "./checks.mjs";

/** Something that whoever typed the command can mend; told without a stack. */
export class StageError extends Error {
	name = "StageError";
}

/** Options as node:util has them. Throws StageError with the usage. */
export function argumentsOf(argv, options, usage) {
	try {
		return parseArgs({ args: argv, options: { stage: { type: "string", default: "dev" }, help: { type: "boolean" }, ...options } }).values;
	} catch (error) {
		throw new StageError(`${error.message}\n\n${usage}`);
	}
}

/**
 * Where the AWS SDK would find credentials, in words; undefined where it would find none. Nothing is asked on the network, and not the metadata service of
 * an EC2 instance either: a deployment with whatever rights the machine has is nobody's intention.
 */
export function credentialsIn(environment, home = homedir()) {
	if (environment.AWS_ACCESS_KEY_ID && environment.AWS_SECRET_ACCESS_KEY) return "AWS_ACCESS_KEY_ID";
	if (environment.AWS_WEB_IDENTITY_TOKEN_FILE && environment.AWS_ROLE_ARN) return "AWS_WEB_IDENTITY_TOKEN_FILE";
	if (environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || environment.AWS_CONTAINER_CREDENTIALS_FULL_URI) return "the container's role";
	const profile = environment.AWS_PROFILE || "default";
	const files = [
		environment.AWS_SHARED_CREDENTIALS_FILE ?? join(home, ".aws/credentials"),
		environment.AWS_CONFIG_FILE ?? join(home, ".aws/config"),
	];
	return files.some((file) => hasProfile(file, profile)) ? `the profile ${profile}` : undefined;
}

const GIVES_CREDENTIALS = /^\s*(aws_access_key_id|sso_session|sso_start_url|role_arn|credential_process|login_session)\s*=/;

function hasProfile(file, profile) {
	if (!existsSync(file)) return false;
	let section;
	for (const line of readFileSync(file, "utf8").split("\n")) {
		const [, name] = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line) ?? [];
		if (name !== undefined) section = name;
		else if (section === profile && GIVES_CREDENTIALS.test(line)) return true;
	}
	return false;
}

export const NO_CREDENTIALS = `No AWS credentials were found. Give the ones of the account that this is to be deployed to, in one of these ways:
  aws configure sso              then: export AWS_PROFILE=<the profile's name>
  aws configure                  asks for an access key and its secret
  export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
On an EC2 instance that is to use its own role: eval "$(aws configure export-credentials --format env)"`;

export const NO_DOCKER = `Docker was not found, or its daemon does not answer: it builds the media nodes' image, which AWS runs on ARM.
Install Docker (https://docs.docker.com/get-docker/) with buildx and start it; on a machine without ARM it needs QEMU too:
  docker run --privileged --rm tonistiigi/binfmt --install arm64`;

/** Runs a program to its end. `input`: for its standard input; `quiet`: its output is given instead of shown. */
export function run(command, args, { environment, input, quiet = false } = {}) {
	return new Promise((resolve) => {
		const output = quiet ? "pipe" : "inherit";
		const child = spawn(command, args, {
			cwd: root,
			stdio: [input === undefined ? "inherit" : "pipe", output, output],
			env: environment,
			shell: process.platform === "win32",
		});
		let said = "";
		for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => (said += text));
		child.stdin?.on("error", () => undefined).end(input);
		child.on("error", (error) => resolve({ code: 127, output: error.message }));
		child.on("close", (code) => resolve({ code: code ?? 1, output: said }));
	});
}

/** SST of this repository. No credential of anybody is sent with what it reports, as it reports nothing. */
export function sst(args, environment, more = {}) {
	// NODE_ENV is what the terminal of this repository runs with: npm would leave out a part of what SST installs.
	const own = { ...environment, NODE_ENV: "development", SST_TELEMETRY_DISABLED: "1", AWS_EC2_METADATA_DISABLED: "true" };
	return run(join(root, "node_modules/.bin/sst"), args, { environment: own, ...more });
}

/** Asks a person; `secret`: what is typed is not shown. */
export function ask(question, { secret = false } = {}) {
	const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: true });
	return new Promise((resolve, reject) => {
		lines.on("close", () => reject(new StageError("nothing was answered")));
		lines.question(question, (answer) => {
			if (secret) process.stdout.write("\n");
			resolve(answer.trim());
			lines.close();
		});
		if (secret) lines._writeToOutput = () => undefined;
	});
}

/** Runs the program of a script, and says in words what went wrong. */
export async function main(program) {
	try {
		process.exitCode = await program();
	} catch (error) {
		const known = error instanceof StageError || error.name === "SettingsError";
		process.stderr.write(`trunkline: ${known ? error.message : error.stack}\n`);
		process.exitCode = 1;
	}
}
