// npm run remove: takes a stage out of the account again. Production is not removed: docs/deploy.md says how one would.
import { argumentsOf, ask, credentialsIn, main, NO_CREDENTIALS, sst, StageError } from "./stage-tools.mjs";

const USAGE = `npm run remove -- [--stage dev] [--yes]

Deletes a stage with its tables, recordings and logs, for good. Not the stage production, which is protected.

  --stage    name of the stage (default: dev)
  --yes      does not ask
  --help     this text`;

/** `tools`: what reaches outside. Gives the exit code. */
export async function remove(argv, environment, tools) {
	const { stage, yes, help } = argumentsOf(argv, { yes: { type: "boolean" } }, USAGE);
	if (help) {
		tools.say(USAGE);
		return 0;
	}
	if (stage === "production")
		throw new StageError("the stage production is protected, and its tables and recordings are kept in any case: docs/deploy.md, Remove");
	if (credentialsIn(environment, tools.home) === undefined) throw new StageError(NO_CREDENTIALS);
	if (!yes) {
		if (!tools.terminal) throw new StageError("there is no terminal to ask in: --yes removes without a question");
		const typed = await tools.ask(`This deletes all calls, recordings and settings of the stage. Type its name (${stage}) to go on: `);
		if (typed !== stage) throw new StageError("nothing was removed");
	}
	const { code } = await tools.sst(["remove", "--stage", stage], environment);
	return code;
}

if (process.argv[1] === import.meta.filename) {
	const say = (text) => process.stdout.write(`${text}\n`);
	await main(() => remove(process.argv.slice(2), process.env, { sst, ask, say, terminal: process.stdin.isTTY === true }));
}
