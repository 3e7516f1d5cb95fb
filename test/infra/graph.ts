import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** What would be made, as it is told to Pulumi's engine. */
export interface Resource {
	/** aws:sqs/queue:Queue */
	type: string;
	name: string;
	region: string;
	/** as AWS would have it, where it has one */
	arn?: string;
	inputs: Record<string, unknown>;
	/** paths in `inputs` of what is a secret in the state */
	secrets: string[];
	/** names of what must be there before, of its own option alone */
	after: string[];
	/** inputs whose changes are let be */
	ignored: string[];
}

export interface Graph {
	app: { name: string; stage: string; removal?: string; protect?: boolean; providers: { aws: { region: string } } };
	outputs: Record<string, unknown>;
	resources: Resource[];
	/** what is bundled for each function: functions/src/api/handler.handler */
	handlers: Record<string, string>;
}

/** Values of secrets in the graph: nothing else may have them. */
export const SECRET_VALUES: Record<string, string> = {
	LivekitUrl: "wss://secret-livekit-url.invalid",
	LivekitApiKey: "secret-livekit-api-key",
	LivekitApiSecret: "secret-livekit-api-secret",
	NonceSecret: "secret-nonce-secret-secret-nonce-secret",
	AdminSecret: "secret-admin-secret-secret-admin-secret",
};

/** The graph of a stage with these settings. `root`: a copy of the repository with something wrong in it. Rejects with what the program said. */
export async function graphOf(stage: string, settings: Record<string, unknown> = {}, root = ROOT): Promise<Graph> {
	const directory = mkdtempSync(join(tmpdir(), "trunkline-graph-"));
	const [file, config] = [join(directory, "graph.json"), join(directory, "config.json")];
	try {
		writeFileSync(config, JSON.stringify({ stages: { [stage]: settings } }));
		const secrets = Object.fromEntries(Object.entries(SECRET_VALUES).map(([name, value]) => [`SST_SECRET_${name}`, value]));
		const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "synth.ts"), stage, file], {
			cwd: root,
			stdio: ["ignore", "ignore", "pipe"],
			env: { ...process.env, ...secrets, TRUNKLINE_CONFIG: config, TRUNKLINE_ROOT: root, NODE_ENV: "production" },
		});
		let said = "";
		child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
		const code = await new Promise((resolve) => child.on("close", resolve));
		if (code !== 0 || !existsSync(file)) throw new Error(said.trim() || `the program ended with ${String(code)}`);
		return JSON.parse(readFileSync(file, "utf8")) as Graph;
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

/** All of a type: `sqs/queue:Queue`. */
export function all({ resources }: Graph, type: string): Resource[] {
	return resources.filter((resource) => resource.type === `aws:${type}`);
}

/** The one of this name. Throws when there is none. */
export function one(graph: Graph, type: string, name: string): Resource {
	const found = all(graph, type).find((resource) => resource.name === name);
	if (found === undefined)
		throw new Error(
			`no ${type} ${name}; there are ${all(graph, type)
				.map((resource) => resource.name)
				.join(", ")}`,
		);
	return found;
}
