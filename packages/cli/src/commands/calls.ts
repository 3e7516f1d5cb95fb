import { writeFile } from "node:fs/promises";
import type { CallDetails, CallPage, HangUpResult, Ladder } from "@trunkline/contracts";
import { writeLadder } from "@trunkline/trace";
import { type Command, InvalidArgumentError, Option } from "commander";
import { callIdOf, describeCall, ladderOf, pathOf } from "../calls.ts";
import type { MakeContext } from "../context.ts";
import { CliError, EXIT } from "../errors.ts";
import { digits, examples, seconds } from "../options.ts";
import { table, when } from "../output.ts";

interface ListOptions {
	live?: boolean;
	limit: string;
	room?: string;
	trunk?: string;
	direction?: string;
}

const CALL = "id of a call, or last";
const TRANSFER_SECONDS = 80;

export function callsCommands(program: Command, contextOf: MakeContext): void {
	const calls = program.command("calls").description("calls that are and that were");

	calls
		.command("list")
		.description("calls, newest first")
		.option("--live", "those alone that have not ended")
		.option("--limit <number>", "how many at most, up to 100", limit, "20")
		.option("--room <room>", "of this room")
		.option("--trunk <trunk>", "of the trunk with this id")
		.addOption(new Option("--direction <direction>", "of one direction").choices(["inbound", "outbound"]))
		.addHelpText("after", examples("calls list", "calls list --live --json"))
		.action(async ({ live, limit: most, room, trunk, direction }: ListOptions, command: Command) => {
			const { server, output } = contextOf(command);
			const filter = Object.entries({ limit: most, room, trunk, direction, state: live === true ? "live" : undefined });
			const query = new URLSearchParams(
				filter.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, string]])),
			);
			const page = await server().get<CallPage>(`/v1/calls?${query.toString()}`);
			const rows = page.calls.map((call) => [
				call.id,
				when(call.createdAt),
				call.direction,
				call.from,
				call.to,
				call.roomName,
				call.end?.text ?? call.state,
			]);
			output.result(page, () => table(["ID", "BEGAN", "DIRECTION", "FROM", "TO", "ROOM", "STATE"], rows, "There is no such call."));
		});

	calls
		.command("show")
		.description("one call: its timeline and, when it has ended, why")
		.argument("<call>", CALL)
		.addHelpText("after", examples("calls show last", "calls show SCL_3nVKGYxUmDbQ --json"))
		.action(async (given: string, _options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const call = await server().get<CallDetails>(pathOf(await callIdOf(server(), given)));
			output.result(call, () => describeCall(call));
		});

	calls
		.command("ladder")
		.description("a call's SIP messages as a ladder, live or past")
		.argument("<call>", CALL)
		.option("--messages", "the messages in full too")
		.addHelpText("after", examples("calls ladder last", "calls ladder last --messages"))
		.action(async (given: string, { messages }: { messages?: boolean }, command: Command) => {
			const context = contextOf(command);
			const ladder = await ladderOf(context, await callIdOf(context.server(), given));
			context.output.result(ladder, () => writeLadder(ladder) + (messages === true ? inFull(ladder) : ""));
		});

	calls
		.command("pcap")
		.description("a call's SIP messages as a .pcapng file for Wireshark")
		.argument("<call>", CALL)
		.option("-o, --output <file>", "the file; - is standard output (<call>.pcapng)")
		.addHelpText("after", examples("calls pcap last -o call.pcapng"))
		.action(async (given: string, options: { output?: string }, command: Command) => {
			const context = contextOf(command);
			const { server, output } = context;
			const id = await callIdOf(server(), given);
			await ladderOf(context, id);
			const response = await server().request("GET", `${pathOf(id)}/trace.pcapng`);
			const bytes = new Uint8Array(await response.arrayBuffer());
			const file = options.output ?? `${id}.pcapng`;
			if (file === "-") return void process.stdout.write(bytes);
			await writeFile(file, bytes).catch((error: NodeJS.ErrnoException) => {
				throw new CliError(`${file} cannot be written: ${error.code ?? error.message}`, EXIT.failed, { cause: error });
			});
			output.result({ file, bytes: bytes.length }, () => `${file}: ${bytes.length} bytes`);
		});

	calls
		.command("hangup")
		.description("end a call, whether it waits, rings or is up")
		.argument("<call>", CALL)
		.addHelpText("after", examples("calls hangup last"))
		.action(async (given: string, _options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const done = output.progress("hanging up");
			const result = await server()
				.send<HangUpResult>("POST", `${pathOf(await callIdOf(server(), given))}/hangup`)
				.finally(done);
			const words = {
				ended: "the call is over",
				"already-ended": "the call was over already",
				requested: "the call's node was told; it is not over yet",
			};
			output.result(result, () => words[result.outcome]);
		});

	calls
		.command("transfer")
		.description("send a call's telephone to somebody else; the room loses it")
		.argument("<call>", CALL)
		.argument("<target>", "tel:+15550123, sip:alice@example.com, or a number")
		.option("--timeout <seconds>", "for the target to answer", seconds(600), 30)
		.option("--dialtone", "the caller hears it ring")
		.addHelpText("after", examples("calls transfer last tel:+15550123"))
		.action(async (given: string, target: string, options: { timeout: number; dialtone?: boolean }, command: Command) => {
			const { server, output } = contextOf(command);
			const call = await server().get<CallDetails>(pathOf(await callIdOf(server(), given)));
			if (call.end !== undefined) throw new CliError(`the call ${call.id} is over: there is nobody to send anywhere`);
			const to = /^(?:tel|sips?):|^</i.test(target) ? target : `tel:${target}`;
			const done = output.progress(`transferring to ${to}`);
			await server()
				.sip.transferSipParticipant(call.roomName, call.participant.identity, to, {
					playDialtone: options.dialtone ?? false,
					ringingTimeout: Math.ceil(options.timeout),
					timeout: Math.max(TRANSFER_SECONDS, options.timeout + 10),
				})
				.finally(done);
			output.result({ callId: call.id, transferredTo: to }, () => `transferred to ${to}`);
		});

	calls
		.command("dtmf")
		.description("press digits in a call, as if the room's side had a telephone")
		.argument("<call>", CALL)
		.argument("<digits>", "0-9 * # A-D; w waits half a second", digits)
		.addHelpText("after", examples("calls dtmf last 12w3#"))
		.action(async (given: string, pressed: string, _options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			await server().send("POST", `${pathOf(await callIdOf(server(), given))}/dtmf`, { digits: pressed });
			output.result({ digits: pressed }, () => "the digits are on their way");
		});
}

function inFull({ entries }: Ladder): string {
	const texts = entries.flatMap((entry) =>
		entry.kind === "message"
			? [`\n── +${(entry.offsetMs / 1000).toFixed(3)} ${entry.from} → ${entry.to} (${entry.transport})\n${readable(entry.text)}`]
			: [],
	);
	return texts.join("\n");
}

/** Lines stay lines; what else strangers sent must not drive the terminal. */
const readable = (text: string): string => text.replace(/\r\n/g, "\n").replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "?");

function limit(text: string): string {
	if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 100)
		throw new InvalidArgumentError("It must be a number from 1 to 100.");
	return text;
}
