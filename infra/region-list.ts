import { commandQueuePrefix } from "./queues.ts";
import type { StageSettings } from "./settings.ts";
import type { RegionData } from "./types.ts";

/** REGIONS of the API: where the calls of each region are, and how it is told of them (functions/src/wire-regions.ts). */
export function regionsForApi(regions: readonly RegionData[], settings: StageSettings): $util.Output<string> {
	return $jsonStringify(
		regions.map((data) => {
			const livekitUrl = settings.livekitUrls[data.place.region];
			return {
				...seenByCarriers(data, settings),
				callsTable: data.callsTable.name,
				dialQueueUrl: data.dial.queue.url,
				commandQueuePrefix: commandQueuePrefix(),
				tracesBucket: data.traces.name,
				...(livekitUrl === undefined ? {} : { livekitUrl }),
			};
		}),
	);
}

/** PEER_REGIONS of the nodes: where a call belongs that came to the wrong region (media-node/src/region-config.ts). */
export function regionsForNodes(regions: readonly RegionData[], settings: StageSettings): $util.Output<string> {
	return $jsonStringify(regions.map((data) => seenByCarriers(data, settings)));
}

function seenByCarriers({ place: { region }, loadBalancer }: RegionData, settings: StageSettings) {
	const countries = settings.countries[region];
	const [address] = loadBalancer.addresses;
	return {
		region: region as string,
		...(address === undefined ? {} : { sipAddress: address.publicIp }),
		...(countries === undefined ? {} : { countries }),
	};
}
