import { type Statement, usesKeyThrough } from "./permissions.ts";
import { type SecretName, SECRETS } from "./secret-names.ts";
import type { StageSettings } from "./settings.ts";
import type { Place, RegionKey } from "./types.ts";

/**
 * What `npm run deploy` asks for or makes up, kept by SST: encrypted in its bucket and in the state. Programs get none of it in clear: every region has
 * SecureString parameters below one path, which nodes get from ECS when they start and functions read when they do.
 */
export interface Secrets {
	/** path of the parameters, with a / at its end */
	prefix: string;
	/** of a region: ARN of each parameter by its name */
	parameters: Map<string, Record<SecretName, $util.Output<string>>>;
	/** of a region: another text when one of them has another value. Programs read them when they start, so what starts them must change with it. */
	versions: Map<string, $util.Output<string>>;
}

export function secrets(places: readonly Place[], keyOf: (region: string) => RegionKey, settings: StageSettings): Secrets {
	const prefix = `/${$app.name}/${$app.stage}/`;
	const values = Object.entries(SECRETS).map(([name, secret]) => [name as SecretName, $util.secret(new sst.Secret(secret).value)] as const);
	const parameters = places.map((place) => {
		const made = values.map(([name, value]) => {
			const own = name === "LIVEKIT_URL" ? settings.livekitUrls[place.region] : undefined;
			const parameter = new aws.ssm.Parameter(
				`${SECRETS[name]}${place.suffix}`,
				{ name: `${prefix}${name}`, type: "SecureString", keyId: keyOf(place.region).arn, value: own ?? value },
				place.opts,
			);
			return { name, parameter };
		});
		const arns = Object.fromEntries(made.map(({ name, parameter }) => [name, parameter.arn])) as Record<SecretName, $util.Output<string>>;
		const versions = $util.all(made.map(({ parameter }) => parameter.version)).apply((all) => all.join("."));
		return { region: place.region, arns, versions };
	});
	return {
		prefix,
		parameters: new Map(parameters.map(({ region, arns }) => [region, arns])),
		versions: new Map(parameters.map(({ region, versions }) => [region, versions])),
	};
}

/**
 * `names`: all that the program asks for, also those that are there only where somebody has made them (API_KEYS): SSM refuses the whole request for one that
 * the program may not have, there or not.
 */
export function readsSecrets(secrets: Secrets, place: Place, key: RegionKey, names: readonly (SecretName | "API_KEYS")[]): Statement[] {
	const { LIVEKIT_URL: url } = parametersIn(secrets, place);
	const arnOf = (name: string) => url.apply((arn) => arn.replace(/[^/]+$/, name));
	return [{ actions: ["ssm:GetParameters"], resources: names.map(arnOf) }, usesKeyThrough("ssm", place.region, key)];
}

/** Behind a description that nobody reads, so that programs start anew with a changed secret. */
export function versionIn(secrets: Secrets, { region }: Place): $util.Output<string> {
	return secrets.versions.get(region) ?? $util.output("");
}

export function parametersIn(secrets: Secrets, place: Place): Record<SecretName, $util.Output<string>> {
	const arns = secrets.parameters.get(place.region);
	if (arns === undefined) throw new Error(`no secrets in ${place.region}`);
	return arns;
}
