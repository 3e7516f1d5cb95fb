import type { RegionListView } from "@trunkline/contracts";
import type { Command } from "commander";
import type { MakeContext } from "../context.ts";
import { examples } from "../options.ts";
import { table } from "../output.ts";

export function regionsCommand(program: Command, contextOf: MakeContext): void {
	program
		.command("regions")
		.description("the deployment's regions, their media nodes and how many more calls they take")
		.addHelpText("after", examples("regions", "regions --json"))
		.action(async (_options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const list = await server().get<RegionListView>("/v1/regions");
			const rows = list.regions.map(({ region, home, sipAddress, capacity, problem }) => [
				region + (home ? " (home)" : ""),
				sipAddress ?? "",
				capacity === undefined
					? (problem ?? "not counted here")
					: `${capacity.nodes} nodes, ${capacity.calls} calls, room for ${capacity.free}`,
			]);
			output.result(list, () => table(["REGION", "SIP", "MEDIA NODES"], rows, "There is no region."));
		});
}
