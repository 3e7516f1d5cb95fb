import { setTimeout as delay } from "node:timers/promises";
import type { CallDetails } from "@trunkline/contracts";
import type { Command } from "commander";
import { TwirpError } from "livekit-server-sdk";
import { explained, pathOf } from "../calls.ts";
import type { Context, MakeContext } from "../context.ts";
import { CliError, EXIT } from "../errors.ts";
import { digits, examples, pairs, seconds } from "../options.ts";
import { trunks } from "./trunk.ts";

interface CallOptions {
	trunk?: string;
	room: string;
	from?: string;
	identity?: string;
	dtmf?: string;
	header?: Record<string, string>;
	timeout: number;
	wait?: boolean;
	dialtone?: boolean;
}

const POLL_MS = 200;
const MAX_RINGING_SECONDS = 3600;
/** Above the ringing: claim, joining the room, a slow BYE. */
const MARGIN_MS = 30_000;

export function callCommand(program: Command, contextOf: MakeContext): void {
	program
		.command("call")
		.description("call a telephone into a room, and say how it goes until it is answered or has failed")
		.argument("<number>", "whom to call, such as +15550123")
		.option("--trunk <trunk>", "id of the outbound trunk (the only one, when there is one alone)")
		.option("--room <room>", "the room", "hello")
		.option("--from <number>", "our number, one of the trunk's")
		.option("--identity <identity>", "of the participant (sip_<number>)")
		.option("--dtmf <digits>", "press these digits after the answer; w waits half a second", digits)
		.option("--header <name=value>", "SIP header of the INVITE; may be given again", pairs)
		.option("--timeout <seconds>", "let it ring so long", seconds(MAX_RINGING_SECONDS), 30)
		.option("--dialtone", "the room hears it ring")
		.option("--no-wait", "do not wait for the answer")
		.addHelpText("after", examples("call +15550123 --room hello", "call +15550123 --trunk ST_3nVKGYxUmDbQ --dtmf w1234# --timeout 60"))
		.action(async (number: string, options: CallOptions, command: Command) => {
			const context = contextOf(command);
			const { server, output } = context;
			const trunkId = options.trunk ?? (await onlyTrunk(context));
			const interrupted = interruption();
			const dialed = server().sip.createSipParticipant(trunkId, number, options.room, {
				waitUntilAnswered: false,
				ringingTimeout: Math.ceil(options.timeout),
				playDialtone: options.dialtone ?? false,
				...(options.from === undefined ? {} : { fromNumber: options.from }),
				participantIdentity: options.identity ?? `sip_${number}`,
				...(options.dtmf === undefined ? {} : { dtmf: options.dtmf }),
				...(options.header === undefined ? {} : { headers: options.header }),
			});
			const made = await dialed.catch((error: unknown) => {
				interrupted.over();
				if (!(error instanceof TwirpError && error.status === 404)) throw error;
				throw new CliError(`there is no outbound trunk ${JSON.stringify(trunkId)}; "trunk list --outbound" has those that there are`);
			});
			const id = made.sipCallId;
			output.note(`call ${id} from room ${JSON.stringify(options.room)}`);
			if (options.wait === false) {
				interrupted.over();
				return output.result({ id }, () => id);
			}
			const waiting = outcome(context, id, options.timeout * 1000 + MARGIN_MS);
			const call = (await Promise.race([waiting, interrupted.signal]).finally(interrupted.over)) ?? (await hangUp(context, id));
			if (call.answeredAt === undefined && output.json) output.result(call, () => "");
			if (call.answeredAt === undefined) throw new CliError(call.explanation === undefined ? "not answered" : explained(call.explanation));
			output.result(call, () => `answered: ${call.participant.identity} is in the room ${JSON.stringify(call.roomName)}`);
		});
}

async function onlyTrunk({ server }: Context): Promise<string> {
	const { outbound } = await trunks(server());
	const [first, ...others] = outbound;
	if (first === undefined) throw new CliError('there is no outbound trunk; "trunk add outbound" makes one');
	if (others.length > 0)
		throw new CliError(
			`there are ${outbound.length} outbound trunks: --trunk says which (${outbound.map(({ sipTrunkId, name }) => (name === "" ? sipTrunkId : `${sipTrunkId} ${JSON.stringify(name)}`)).join(", ")})`,
		);
	return first.sipTrunkId;
}

/** Ctrl-C while it rings hangs up, as somebody with a telephone in the hand would; a second one leaves at once. */
function interruption(): { signal: Promise<undefined>; over(): void } {
	const names = ["SIGINT", "SIGTERM"] as const;
	let interrupt = (): void => {};
	const over = (): void => {
		for (const name of names) process.off(name, interrupt);
	};
	const signal = new Promise<undefined>((resolve) => {
		interrupt = () => {
			over();
			resolve(undefined);
		};
	});
	for (const name of names) process.on(name, interrupt);
	return { signal, over };
}

async function hangUp({ server, output }: Context, id: string): Promise<never> {
	output.note("hanging up");
	await server().send("POST", `${pathOf(id)}/hangup`);
	throw new CliError("hung up before there was an answer", EXIT.interrupted);
}

/** Tells each state that the call comes to; until it is answered or over. */
async function outcome({ server, output }: Context, id: string, withinMs: number): Promise<CallDetails> {
	const deadline = Date.now() + withinMs;
	let told = "";
	let done = output.progress("calling");
	try {
		for (;;) {
			const call = await server().get<CallDetails>(pathOf(id));
			if (call.state !== told) {
				done();
				if (told !== "" || call.state !== "ended") output.note(`  ${call.state}`);
				told = call.state;
				done = output.progress(call.state);
			}
			if (call.answeredAt !== undefined || call.end !== undefined) return call;
			if (Date.now() > deadline) throw new CliError(`the call is ${call.state} still; "calls show ${id}" says how it goes on`);
			await delay(POLL_MS);
		}
	} finally {
		done();
	}
}
