import { readSettings, type StageSettings } from "./settings.ts";

const APP = "trunkline";
/** What SST 4.17.1 is built for: another one would be another set of defaults. */
const AWS_PROVIDER = "7.20.0";

/** What SST asks first. Evaluated without credentials too, by `sst install`. */
export function appOf(stage: string) {
	const { regions, production } = readSettings(stage, process.cwd(), process.env);
	return {
		name: APP,
		home: "aws" as const,
		removal: production ? ("retain" as const) : ("remove" as const),
		protect: production,
		providers: { aws: { region: regions[0] as aws.Region, version: AWS_PROVIDER } },
	};
}

/** Settings of the stage that is being deployed. */
export function stageSettings(): StageSettings {
	return readSettings($app.stage, $cli.paths.root, process.env);
}
