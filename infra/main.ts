import { api } from "./api.ts";
import { bucket } from "./buckets.ts";
import { consumers } from "./consumers.ts";
import { keys } from "./keys.ts";
import { loadBalancer } from "./load-balancer.ts";
import { mediaNodes } from "./media-nodes.ts";
import { monitoring } from "./monitoring/resources.ts";
import { network } from "./network.ts";
import { places } from "./place.ts";
import { dialQueue } from "./queues.ts";
import { regionsForNodes } from "./region-list.ts";
import { secrets } from "./secrets.ts";
import { stageSettings } from "./stage.ts";
import { callsTable, configTable } from "./tables.ts";
import type { Place, RegionData, RegionKeys, RegionStack } from "./types.ts";

/** The whole stage: what is there once, and then every region by itself. The outputs are what `npm run deploy` says at its end. */
export function deploy() {
	const settings = stageSettings();
	const all = places(settings.regions);
	const keysOf = keyring(keys(all));
	const config = configTable(all, (region) => keysOf(region).data, settings);
	const known = secrets(all, (region) => keysOf(region).data, settings);

	const data = all.map((place) => dataOf(place, keysOf(place.region)));
	const peers = regionsForNodes(data, settings);
	const regions = data.map((one): RegionStack => {
		const own = { data: one, keys: keysOf(one.place.region), configTable: config, secrets: known, settings };
		const nodes = mediaNodes({ ...own, peers });
		return { ...one, nodes, consumers: consumers({ ...own, nodes }) };
	});
	const made = api({ regions, configTable: config, keysOf, secrets: known, settings });
	const { dashboard } = monitoring({ api: made, configTable: config, stacks: regions, settings });

	return {
		api: made.url,
		dashboard,
		sip: Object.fromEntries(regions.map(({ place, loadBalancer: { addresses } }) => [place.region, addressesOf(addresses)])),
		...(settings.sip.fixedOutboundAddresses && {
			sipOutbound: Object.fromEntries(
				regions.map(({ place, network: { outboundAddresses } }) => [place.region, addressesOf(outboundAddresses)]),
			),
		}),
	};

	function dataOf(place: Place, { data: key }: RegionKeys): RegionData {
		const ownNetwork = network(place, settings);
		return {
			place,
			network: ownNetwork,
			loadBalancer: loadBalancer(place, ownNetwork, settings),
			callsTable: callsTable(place, settings),
			dial: dialQueue(place),
			bus: new sst.aws.Bus(`Bus${place.suffix}`, {}, place.opts),
			recordings: bucket("Recordings", place, key, settings, settings.recordings.keepDays),
			traces: bucket("Traces", place, key, settings, settings.traces.keepDays),
		};
	}
}

function keyring(all: Map<string, RegionKeys>): (region: string) => RegionKeys {
	return (region) => {
		const found = all.get(region);
		if (found === undefined) throw new Error(`no keys in ${region}`);
		return found;
	};
}

function addressesOf(addresses: readonly aws.ec2.Eip[]): $util.Output<string[]> {
	return $util.all(addresses.map(({ publicIp }) => publicIp));
}
