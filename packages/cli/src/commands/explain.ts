import type { CallDetails, Explanation } from "@trunkline/contracts";
import type { Command } from "commander";
import { callIdOf, explained, pathOf } from "../calls.ts";
import type { MakeContext } from "../context.ts";
import { CliError, EXIT } from "../errors.ts";
import { examples } from "../options.ts";
import { clean } from "../output.ts";

interface WouldBe {
	from?: string;
	to?: string;
	source: string;
	pin?: string;
}

export function explainCommand(program: Command, contextOf: MakeContext): void {
	program
		.command("explain")
		.description("why a call ended as it did; or, with --to, what would become of an inbound call")
		.argument("[call]", "id of a call, or last")
		.option("--to <number>", "the called number of a would-be call")
		.option("--from <number>", "its caller (anonymous)")
		.option("--source <address>", "IP address that it would come from", "127.0.0.1")
		.option("--pin <digits>", "PIN that the caller would enter")
		.addHelpText(
			"after",
			examples("explain last", "explain SCL_3nVKGYxUmDbQ", "explain --to +15550100 --from +15551111 --source 203.0.113.7"),
		)
		.action(async (given: string | undefined, { to, from, source, pin }: WouldBe, command: Command) => {
			const { server, output } = contextOf(command);
			if ((given === undefined) === (to === undefined)) throw new CliError("either a call, or --to for a would-be one", EXIT.usage);
			if (to !== undefined) {
				const body = { to, from: from ?? "", source, ...(pin === undefined ? {} : { pin }) };
				const explanation = await server().send<Explanation>("POST", "/v1/explain", body);
				return output.result(explanation, () => clean(explanation.summary));
			}
			const call = await server().get<CallDetails>(pathOf(await callIdOf(server(), given ?? "last")));
			output.result(call.explanation ?? { state: call.state }, () =>
				call.explanation === undefined ? `the call is ${call.state}` : explained(call.explanation),
			);
		});
}
