import { FUNCTION_BUILD, FUNCTIONS } from "./bundle.ts";
import { type Statement, policyOf } from "./permissions.ts";
import type { StageSettings } from "./settings.ts";
import type { Lambda, Place } from "./types.ts";

export interface LambdaOptions {
	description: string;
	memoryMb: 512 | 1024;
	timeoutSeconds: number;
	environment: Record<string, $util.Input<string>>;
	statements: Statement[];
	/** a URL that anybody can call: the function checks tokens itself */
	publicUrl?: boolean;
	/** another text for other secrets: with another configuration Lambda starts new processes, which read them */
	secretsVersion?: $util.Output<string>;
	/** beside the bundle */
	copyFiles?: { from: string; to: string }[];
	/** that run at a time, at most, of which others can take none; unset: as many as the account has */
	concurrency?: number | undefined;
}

/** A function with a role of its own that may do what is said here and nothing else: not even what AWS's managed policies give to everybody. */
export function lambda(kind: keyof typeof FUNCTIONS, place: Place, settings: StageSettings, options: LambdaOptions): Lambda {
	const { suffix, opts } = place;
	const name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}${suffix}`;
	const logName = `/${$app.name}/${$app.stage}/${kind}`;
	const logGroup = new aws.cloudwatch.LogGroup(`${name}Log`, { name: logName, retentionInDays: settings.keepLogsDays }, opts);
	const writesLog = { actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [$interpolate`${logGroup.arn}:*`] };
	const fn = new sst.aws.Function(
		name,
		{
			...FUNCTION_BUILD,
			handler: FUNCTIONS[kind].replace(/\.ts$/, ".handler"),
			description:
				options.secretsVersion === undefined
					? options.description
					: $interpolate`${options.description} (secrets ${options.secretsVersion})`,
			memory: `${options.memoryMb} MB`,
			timeout: `${options.timeoutSeconds} seconds`,
			logging: { logGroup: logGroup.name },
			...(options.copyFiles === undefined ? {} : { copyFiles: options.copyFiles }),
			...(options.concurrency === undefined ? {} : { concurrency: { reserved: options.concurrency } }),
			...(options.publicUrl === true ? { url: { cors: false as const } } : {}),
			transform: {
				role: (args) => {
					args.managedPolicyArns = [];
					args.inlinePolicies = [{ name: "own", policy: policyOf([...options.statements, writesLog]) }];
				},
				function: (args) => {
					// Without what SST adds for its own run time, which is not used: a key of nothing would look like a secret in clear.
					args.environment = { variables: options.environment };
				},
			},
		},
		opts,
	);
	return { fn, logGroup: { name: logName, arn: logGroup.arn } };
}
