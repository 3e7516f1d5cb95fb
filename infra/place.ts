import type { Place } from "./types.ts";

/** The regions of the stage, home first, each with a provider of its own: what is made with it is in that region and nowhere else. */
export function places(regions: readonly string[]): Place[] {
	return regions.map((name, index) => {
		const region = name as aws.Region;
		return { region, suffix: suffixOf(region), home: index === 0, opts: { provider: providerOf(region) } };
	});
}

/** The tags are those that SST gives its own provider; one that is made here inherits none. */
function providerOf(region: aws.Region): aws.Provider {
	return new aws.Provider(`Aws-${region}`, {
		region,
		defaultTags: { tags: { "sst:app": $app.name, "sst:stage": $app.stage } },
	});
}

/** eu-west-1 → EuWest1: the names of SST's components are letters and digits. */
function suffixOf(region: string): string {
	return region
		.split("-")
		.map((part) => part.charAt(0).toUpperCase() + part.slice(1))
		.join("");
}
