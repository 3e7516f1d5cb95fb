/**
 * A program of its own: evaluates sst.config.ts as SST 4.17.1 does (pkg/js/js.go and pkg/project/run.go of its sources), with Pulumi's runtime mocks in the
 * place of its engine. No credentials, no network, nothing is made. argv: stage, file for the graph. A child process, as a rejection inside an apply() is
 * one that nobody can catch.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Graph, Resource } from "./graph.ts";

const ACCOUNT = "123456789012";
/** Of Pulumi's wire format: how a value says that it is a secret. */
const SECRET = "4dabf18193072939515e22adb298388d";
const TIMEOUT_MS = 180_000;
const root = process.env["TRUNKLINE_ROOT"] ?? process.cwd();
const platform = join(root, ".sst/platform");
const required = createRequire(join(platform, "package.json"));

interface MockResource {
	type: string;
	name: string;
	id?: string;
	inputs: Record<string, unknown>;
	provider?: string;
}
interface MockCall {
	token: string;
	inputs: Record<string, unknown>;
	provider?: string;
}
interface Pulumi {
	runtime: {
		setMocks(
			mocks: { newResource(args: MockResource): unknown; call(args: MockCall): unknown },
			project: string,
			stack: string,
			preview: boolean,
			organization: string,
		): Promise<void>;
		runInPulumiStack(program: () => Promise<unknown>): Promise<unknown>;
		registerStackTransformation(
			look: (made: { type: string; name: string; opts: { dependsOn?: unknown; ignoreChanges?: string[] } }) => undefined,
		): void;
	};
	output(value: unknown): { apply(use: (value: unknown) => void): void };
}
interface Esbuild {
	build(options: Record<string, unknown>): Promise<unknown>;
}
interface App {
	name: string;
	removal?: string;
	protect?: boolean;
	providers: { aws: { region: string } };
}

const pulumi = required("@pulumi/pulumi") as Pulumi;
const esbuild = required("esbuild") as Esbuild;

class Synthesis {
	readonly resources: Resource[] = [];
	readonly handlers: Graph["handlers"] = {};
	readonly #stage: string;
	readonly #work = mkdtempSync(join(tmpdir(), "trunkline-synth-"));
	readonly #regionOfProvider = new Map<string, string>();
	/** what mocks are not told of a resource */
	readonly #options = new Map<string, { after: string[]; ignored: string[] }>();
	#home = "";

	constructor(stage: string) {
		this.#stage = stage;
	}

	async run(): Promise<Graph> {
		const cli = await this.#serveCli();
		process.env["SST_SERVER"] = `http://127.0.0.1:${(cli.address() as AddressInfo).port}`;
		process.chdir(root);
		const made: string[] = [];
		const bundled = async (name: string, code: string, options: Record<string, unknown>): Promise<{ default: unknown }> => {
			const file = join(platform, `${name}.${process.pid}.mjs`);
			made.push(file, `${file}.map`);
			await esbuild.build(buildOptions(code, file, options));
			return (await import(pathToFileURL(file).href)) as { default: unknown };
		};
		try {
			const asked = `import mod from "./sst.config.ts"; export default await mod.app({ stage: ${JSON.stringify(this.#stage)} });`;
			const app = (await bundled("app", asked, { banner: { js: `${BANNER}\nfunction $config(input) { return input; }` } })).default as App;
			this.#home = app.providers.aws.region;
			await pulumi.runtime.setMocks(
				{ newResource: (args) => this.#newResource(args), call: (args) => this.#call(args) },
				app.name,
				this.#stage,
				false,
				"organization",
			);
			const run = `import { run } from "${platform}/src/auto/run.ts"; import mod from "./sst.config.ts"; export default () => run(mod.run);`;
			const program = (await bundled("run", run, runOptions(app, this.#stage, this.#work))).default as () => Promise<unknown>;
			const outputs = await pulumi.runtime.runInPulumiStack(() => {
				pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
					const before = [opts.dependsOn ?? []].flat() as { __name?: string }[];
					this.#options.set(`${type} ${name}`, { after: before.map((one) => one.__name ?? ""), ignored: opts.ignoreChanges ?? [] });
					return undefined;
				});
				return program();
			});
			const settled = new Promise((resolve) => pulumi.output(outputs).apply(resolve));
			const plainOutputs = plain(await settled) as Record<string, unknown>;
			// As Pulumi's own host: the event loop is empty when the last apply() has registered what it registers.
			await new Promise((resolve) => process.once("beforeExit", resolve));
			return { app: { ...app, stage: this.#stage }, outputs: plainOutputs, resources: this.resources, handlers: this.handlers };
		} finally {
			cli.close();
			for (const file of made) rmSync(file, { force: true });
			rmSync(this.#work, { recursive: true, force: true });
		}
	}

	#newResource({ type, name, id: given, inputs, provider }: MockResource): unknown {
		const own = type === "aws:ec2/vpc:Vpc" ? `vpc-${name}` : `${name}-id`;
		const id = given === undefined || given === "" ? own : given;
		if (type === "pulumi:providers:aws") this.#regionOfProvider.set(name, String(inputs["region"]));
		const region = type === "pulumi:providers:aws" ? String(inputs["region"]) : this.#regionOf(provider);
		const secrets: string[] = [];
		const state = stateOf(type, name, region, plain(inputs) as Record<string, unknown>);
		const arn = typeof state["arn"] === "string" ? { arn: state["arn"] } : {};
		const options = this.#options.get(`${type} ${name}`) ?? { after: [], ignored: [] };
		this.resources.push({ type, name, region, ...arn, inputs: plain(inputs, secrets) as Record<string, unknown>, secrets, ...options });
		return { id, state: { ...inputs, id, region, ...state } };
	}

	#call({ token, inputs, provider }: MockCall): Record<string, unknown> {
		const region = this.#regionOf(provider);
		switch (token) {
			case "aws:index/getRegion:getRegion":
				return { region, name: region, id: region };
			case "aws:index/getPartition:getPartition":
				return { partition: "aws", dnsSuffix: "amazonaws.com", id: "aws" };
			case "aws:index/getCallerIdentity:getCallerIdentity":
				return { accountId: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, userId: "user", id: "user" };
			case "aws:index/getAvailabilityZones:getAvailabilityZones":
				// The first zone of each region is the one that has no Fargate; no zone may be missing for a day because it has no good one.
				return {
					names: ["a", "b", "c", "d"]
						.map((zone) => region + zone)
						.slice((inputs["excludeZoneIds"] as unknown[] | undefined) === undefined ? 0 : 1),
					zoneIds: [],
					id: region,
				};
			case "aws:iam/getPolicyDocument:getPolicyDocument": {
				const { statements = [] } = inputs as { statements?: unknown[] };
				return { json: JSON.stringify({ Version: "2012-10-17", Statement: statements }), statements };
			}
			case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
				return { proxyEndpoint: "https://images.invalid", password: "password", userName: "AWS" };
			case "aws:route53/getZone:getZone":
				return { ...inputs, zoneId: "Z0ZONE", id: "Z0ZONE" };
			default:
				throw new Error(`the tests know no answer to ${token}`);
		}
	}

	/** `urn:…::Aws-eu-west-1::id`: children have their parents' provider. */
	#regionOf(provider: string | undefined): string {
		return this.#regionOfProvider.get(provider?.split("::").at(-2) ?? "") ?? this.#home;
	}

	/** What components ask of the CLI. */
	async #serveCli(): Promise<Server> {
		const answers: Record<string, (argument: Record<string, string>) => Promise<unknown>> = {
			"Provider.Aws.Bootstrap": async ({ region = "" }) => ({
				asset: `asset-${region}`,
				assetEcrRegistryId: ACCOUNT,
				assetEcrUrl: `${ACCOUNT}.dkr.ecr.${region}.amazonaws.com/sst-asset`,
				state: `state-${region}`,
				appsyncHttp: "",
				appsyncRealtime: "",
			}),
			"Runtime.Build": async ({ functionID = "", handler = "" }) => this.#bundle(functionID, handler),
		};
		const server = createServer((request, response) => {
			let body = "";
			request.on("data", (text) => (body += String(text)));
			request.on("end", () => {
				const { method, params } = JSON.parse(body) as { method: string; params: Record<string, string>[] };
				const answer = async (): Promise<unknown> => answers[method]?.(params[0] ?? {}) ?? {};
				answer().then(
					(result) => {
						response.setHeader("connection", "close");
						response.end(JSON.stringify({ id: 1, result }));
					},
					(error: unknown) => fail(error),
				);
			});
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		// Else the event loop would never be empty.
		server.unref();
		return server;
	}

	/** What SST would bundle; test/lambda has the bundles themselves. */
	#bundle(functionID: string, handler: string): { handler: string; out: string; errors: string[]; sourcemaps: string[] } {
		this.handlers[functionID] = handler;
		const out = join(this.#work, functionID);
		mkdirSync(out, { recursive: true });
		writeFileSync(join(out, "bundle.mjs"), "export const handler = () => {};");
		return { handler: "bundle.handler", out, errors: [], sourcemaps: [] };
	}
}

/** What the name of a resource is behind in its ARN. */
const PREFIXES: Readonly<Record<string, string>> = { "aws:ecs/cluster:Cluster": "cluster/" };

/** `aws:sqs/queue:Queue` is of sqs. */
const serviceOf = (type: string): string => type.split(":")[1]?.split("/")[0] ?? "";

/** Attributes that AWS would give. */
function stateOf(type: string, name: string, region: string, inputs: Record<string, unknown>): Record<string, unknown> {
	const service = serviceOf(type);
	const given = inputs["name"] ?? inputs["bucket"];
	const own = typeof given === "string" ? given : name;
	const arn = (resource: string): { arn: string } => ({ arn: `arn:aws:${service}:${region}:${ACCOUNT}:${resource}` });
	switch (type) {
		case "aws:sqs/queue:Queue":
			return { ...arn(own), name: own, url: `https://sqs.${region}.amazonaws.com/${ACCOUNT}/${own}` };
		case "aws:dynamodb/table:Table":
			return { ...arn(`table/${own}`), name: own, streamArn: `arn:aws:dynamodb:${region}:${ACCOUNT}:table/${own}/stream/2026-01-01` };
		case "aws:s3/bucket:Bucket":
			return { arn: `arn:aws:s3:::${own}`, bucket: own, name: own };
		case "aws:ssm/parameter:Parameter":
			return { ...arn(`parameter${own}`), name: own, version: name.startsWith("LivekitApiSecret") ? 2 : 1 };
		case "aws:kms/key:Key":
		case "aws:kms/replicaKey:ReplicaKey":
			return { ...arn(`key/mrk-${name}`), keyId: `mrk-${name}` };
		case "aws:cloudwatch/logGroup:LogGroup":
			return { arn: `arn:aws:logs:${region}:${ACCOUNT}:log-group:${own}`, name: own };
		case "aws:lb/loadBalancer:LoadBalancer":
			return {
				...arn(`loadbalancer/${own}`),
				arnSuffix: `net/${own}/1`,
				dnsName: `${own}.elb.${region}.invalid`,
				zoneId: "Z0ELB",
				name: own,
			};
		case "aws:lb/targetGroup:TargetGroup":
			return { ...arn(`targetgroup/${own}`), arnSuffix: `targetgroup/${own}/1`, name: own };
		case "aws:ec2/eip:Eip":
			return { ...arn(own), allocationId: `eipalloc-${name}`, publicIp: "192.0.2.1" };
		case "aws:lambda/functionUrl:FunctionUrl":
			return { functionUrl: `https://${name.toLowerCase()}.invalid/` };
		case "aws:acm/certificate:Certificate":
			return {
				...arn(`certificate/${name}`),
				domainValidationOptions: [
					{ domainName: inputs["domainName"], resourceRecordName: "_proof", resourceRecordType: "CNAME", resourceRecordValue: "proof" },
				],
			};
		case "docker-build:index:Image":
			return { digest: `sha256:${"0".repeat(64)}` };
		default:
			return { ...arn(`${PREFIXES[type] ?? ""}${own}`), name: own, tagsAll: inputs["tags"] ?? {} };
	}
}

/** Without the wrapping of secrets; `secrets` gets the paths of those. */
function plain(value: unknown, secrets: string[] = [], path = ""): unknown {
	if (Array.isArray(value)) return value.map((item, index) => plain(item, secrets, `${path}.${index}`));
	if (typeof value !== "object" || value === null) return value;
	if (SECRET in value && "value" in value) {
		secrets.push(path.slice(1));
		return plain(value.value, secrets, path);
	}
	return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, secrets, `${path}.${key}`)]));
}

const BANNER = [
	`import { createRequire as topLevelCreateRequire } from "module";`,
	"const require = topLevelCreateRequire(import.meta.url);",
	`import { fileURLToPath as topLevelFileUrlToPath, URL as topLevelURL } from "url";`,
	"const __filename = topLevelFileUrlToPath(import.meta.url);",
	`const __dirname = topLevelFileUrlToPath(new topLevelURL(".", import.meta.url));`,
].join("\n");

function buildOptions(code: string, outfile: string, options: Record<string, unknown>): Record<string, unknown> {
	return {
		stdin: { contents: code, resolveDir: root, sourcefile: "eval.ts", loader: "ts" },
		bundle: true,
		outfile,
		format: "esm",
		platform: "node",
		mainFields: ["module", "main"],
		nodePaths: [join(platform, "node_modules")],
		external: ["@pulumi/*", "undici", "@pulumiverse/*", "@sst-provider/*", "@aws-sdk/*", "esbuild", "archiver", "glob", "vite"],
		logLevel: "error",
		...options,
	};
}

function runOptions(app: App, stage: string, work: string): Record<string, unknown> {
	const lock = JSON.parse(readFileSync(join(root, ".sst/provider-lock.json"), "utf8")) as { alias: string; package: string }[];
	const globals = [
		...lock.map(({ alias, package: name }) => `import * as ${alias} from "${name}";`),
		`import * as sst from "${platform}/src/components";\n`,
	].join("\n");
	// SST puts them before every file but its own, those of node_modules included: that makes an ES module of each.
	const injectGlobals = {
		name: "InjectGlobals",
		setup(build: { onLoad(filter: { filter: RegExp }, load: (args: { path: string }) => unknown): void }) {
			build.onLoad({ filter: /\.(js|ts|jsx|tsx)$/ }, ({ path }) =>
				path.includes(".sst") ? undefined : { contents: globals + readFileSync(path, "utf8"), loader: "default" },
			);
		},
	};
	const cli = { command: "deploy", dev: false, paths: { home: work, root, work, platform }, state: { version: {} } };
	return {
		banner: { js: BANNER },
		define: {
			$app: JSON.stringify({ ...app, stage, removal: app.removal ?? "retain", protect: app.protect ?? false }),
			$cli: JSON.stringify(cli),
			$dev: "false",
		},
		inject: [join(platform, "src/shim/run.js")],
		plugins: [injectGlobals],
	};
}

function fail(error: unknown): never {
	process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
	process.exit(1);
}

process.on("unhandledRejection", fail);
process.on("uncaughtException", fail);
setTimeout(() => fail(new Error("the graph takes too long")), TIMEOUT_MS).unref();
const [stage = "dev", file = ""] = process.argv.slice(2);
new Synthesis(stage).run().then((graph) => {
	writeFileSync(file, JSON.stringify(graph));
	process.exit(0);
}, fail);
