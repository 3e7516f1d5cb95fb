import type { SIPInboundTrunkInfo, SIPOutboundTrunkInfo } from "livekit-server-sdk";
import { ListUpdate } from "@livekit/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { CliError, EXIT } from "../errors.ts";
import type { MakeContext } from "../context.ts";
import { deleteEach } from "../deletion.ts";
import { json, examples, jsonOption, many, sayWhat } from "../options.ts";
import { passwordOf } from "../password.ts";
import { table } from "../output.ts";
import type { Server } from "../server.ts";

interface TrunkOptions {
	name?: string;
	number?: string[];
	allowAddress?: string[];
	allowNumber?: string[];
	address?: string;
	transport?: string;
	username?: string;
	password?: string;
	passwordFile?: string;
	country?: string;
	settings?: Record<string, unknown>;
}

const TRANSPORTS = ["auto", "udp", "tcp", "tls"];

export function trunkCommands(program: Command, contextOf: MakeContext): void {
	const trunk = program.command("trunk").description("trunks: how calls come in, and where they go out");

	trunk
		.command("list")
		.description("all trunks")
		.option("--inbound", "inbound ones alone")
		.option("--outbound", "outbound ones alone")
		.addHelpText("after", examples("trunk list", "trunk list --outbound --json"))
		.action(async (options: { inbound?: boolean; outbound?: boolean }, command: Command) => {
			const { server, output } = contextOf(command);
			const { inbound, outbound } = await trunks(server());
			const shown = {
				inbound: options.outbound && !options.inbound ? [] : inbound,
				outbound: options.inbound && !options.outbound ? [] : outbound,
			};
			const rows = [
				...shown.inbound.map((one) => [
					one.sipTrunkId,
					"inbound",
					one.name,
					numbersOf(one),
					one.allowedAddresses.join(", ") || "any address",
				]),
				...shown.outbound.map((one) => [one.sipTrunkId, "outbound", one.name, numbersOf(one), `to ${one.address}`]),
			];
			output.result([...shown.inbound, ...shown.outbound].map(json), () =>
				table(["ID", "KIND", "NAME", "NUMBERS", "ADDRESS"], rows, 'There is no trunk. "trunk add" makes one.'),
			);
		});

	trunk
		.command("show")
		.description("one trunk with its settings and, where it registers, its registration")
		.argument("<trunk>", "id of a trunk")
		.addHelpText("after", examples("trunk show ST_3nVKGYxUmDbQ"))
		.action(async (id: string, _options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const found = await trunkOf(server(), id);
			const { settings } = await server().get<{ settings: unknown }>(`/v1/trunks/${encodeURIComponent(id)}/settings`);
			const whole = { kind: found.kind, ...json(found.info), settings };
			output.result(whole, () => JSON.stringify(whole, undefined, 2));
		});

	const add = trunk.command("add").description("a new trunk");
	common(add.command("inbound").description("calls that come in"))
		.option("--allow-address <address>", "IP address or network that calls may come from; may be given again", many)
		.option("--allow-number <number>", "caller who may call; may be given again", many)
		.addHelpText(
			"after",
			examples(
				"trunk add inbound --name carrier --number +15550100 --allow-address 203.0.113.0/24",
				"trunk add inbound --name desk --number +15550101 --username desk --password-file desk.txt",
			),
		)
		.action(async (options: TrunkOptions, command: Command) => {
			const { server, output } = contextOf(command);
			const made = await server().sip.createSipInboundTrunk(options.name ?? "", options.number ?? [], {
				allowedAddresses: options.allowAddress ?? [],
				allowedNumbers: options.allowNumber ?? [],
				authUsername: options.username ?? "",
				authPassword: (await passwordOf(options)) ?? "",
			});
			await settle(server(), made.sipTrunkId, options.settings);
			output.result(json(made), () => `inbound trunk ${made.sipTrunkId} is there`);
		});
	outbound(common(add.command("outbound").description("calls that go out")))
		.addHelpText(
			"after",
			examples(
				"trunk add outbound --name carrier --address sip.carrier.example --number +15550100 --username acme --password-file acme.txt",
				"trunk add outbound --name desk --address 127.0.0.1:5070 --number +15550100 --transport udp",
			),
		)
		.action(async (options: TrunkOptions, command: Command) => {
			const { server, output } = contextOf(command);
			if (options.address === undefined)
				throw new CliError("--address is needed: where the provider takes calls, host or host:port", EXIT.usage);
			const made = await server().sip.createSipOutboundTrunk(options.name ?? "", options.address, options.number ?? [], {
				transport: transportOf(options.transport) ?? 0,
				authUsername: options.username ?? "",
				authPassword: (await passwordOf(options)) ?? "",
				destinationCountry: options.country ?? "",
			});
			await settle(server(), made.sipTrunkId, options.settings);
			output.result(json(made), () => `outbound trunk ${made.sipTrunkId} is there`);
		});

	outbound(common(trunk.command("set").description("change a trunk; what is not named stays")))
		.argument("<trunk>", "id of a trunk")
		.option("--allow-address <address>", "inbound: in the place of those before; may be given again", many)
		.option("--allow-number <number>", "inbound: in the place of those before; may be given again", many)
		.addHelpText(
			"after",
			examples("trunk set ST_3nVKGYxUmDbQ --name lobby", `trunk set ST_3nVKGYxUmDbQ --settings '{"earlyMedia":{"fromRoom":true}}'`),
		)
		.action(async (id: string, options: TrunkOptions, command: Command) => {
			const { server, output } = contextOf(command);
			sayWhat(options);
			const changed = await change(server(), id, options);
			await putSettings(server(), id, options.settings);
			output.result(json(changed), () => `trunk ${id} is changed`);
		});

	trunk
		.command("delete")
		.description("delete trunks; calls that are up go on")
		.argument("<trunk...>", "ids of trunks")
		.addHelpText("after", examples("trunk delete ST_3nVKGYxUmDbQ"))
		.action(async (ids: string[], _options: unknown, command: Command) => {
			const context = contextOf(command);
			const { inbound, outbound: outgoing } = await trunks(context.server());
			const known = [...inbound, ...outgoing].map(({ sipTrunkId }) => sipTrunkId);
			await deleteEach(context, "trunk", { ids, known }, (id) => context.server().sip.deleteSipTrunk(id));
		});
}

const common = (command: Command): Command =>
	command
		.option("--name <name>", "a name for people")
		.option("--number <number>", "telephone number of the trunk, + and country code; may be given again", many)
		.option("--username <name>", "user name for calls")
		.option("--password <password>", "password for calls; others on this machine may see it among its processes")
		.option("--password-file <file>", "the same from a file; - is standard input")
		.addOption(jsonOption("--settings <json>", "what LiveKit's fields have no place for: docs/providers.md"));

const outbound = (command: Command): Command =>
	command
		.option("--address <host[:port]>", "where the provider takes calls", address)
		.addOption(new Option("--transport <transport>", "of SIP").choices(TRANSPORTS))
		.option("--country <code>", "two letters: where calls go");

function address(text: string): string {
	if (/^sips?:/i.test(text)) throw new InvalidArgumentError("It is host or host:port, without sip:.");
	return text;
}

const transportOf = (name: string | undefined): number | undefined => (name === undefined ? undefined : TRANSPORTS.indexOf(name));

type Found = { kind: "inbound"; info: SIPInboundTrunkInfo } | { kind: "outbound"; info: SIPOutboundTrunkInfo };

export async function trunks(server: Server): Promise<{ inbound: SIPInboundTrunkInfo[]; outbound: SIPOutboundTrunkInfo[] }> {
	const [inbound, outgoing] = await Promise.all([server.sip.listSipInboundTrunk(), server.sip.listSipOutboundTrunk()]);
	return { inbound, outbound: outgoing };
}

export async function trunkOf(server: Server, id: string): Promise<Found> {
	const all = await trunks(server);
	const inbound = all.inbound.find(({ sipTrunkId }) => sipTrunkId === id);
	if (inbound !== undefined) return { kind: "inbound", info: inbound };
	const found = all.outbound.find(({ sipTrunkId }) => sipTrunkId === id);
	if (found === undefined) throw new CliError(`there is no trunk ${JSON.stringify(id)}; "trunk list" has those that there are`);
	return { kind: "outbound", info: found };
}

async function change(server: Server, id: string, options: TrunkOptions): Promise<SIPInboundTrunkInfo | SIPOutboundTrunkInfo> {
	const { kind } = await trunkOf(server, id);
	const wrong = kind === "inbound" ? ["address", "transport", "country"] : ["allowAddress", "allowNumber"];
	const foreign = Object.keys(options).find((name) => wrong.includes(name));
	if (foreign !== undefined)
		throw new CliError(`${id} is an ${kind} trunk: it has no --${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
	const password = await passwordOf(options);
	const fields = {
		...(options.name === undefined ? {} : { name: options.name }),
		...(options.number === undefined ? {} : { numbers: new ListUpdate({ set: options.number }) }),
		...(options.username === undefined ? {} : { authUsername: options.username }),
		...(password === undefined ? {} : { authPassword: password }),
	};
	if (kind === "inbound")
		return server.sip.updateSipInboundTrunkFields(id, {
			...fields,
			...(options.allowAddress === undefined ? {} : { allowedAddresses: new ListUpdate({ set: options.allowAddress }) }),
			...(options.allowNumber === undefined ? {} : { allowedNumbers: new ListUpdate({ set: options.allowNumber }) }),
		});
	const transport = transportOf(options.transport);
	return server.sip.updateSipOutboundTrunkFields(id, {
		...fields,
		...(options.address === undefined ? {} : { address: options.address }),
		...(transport === undefined ? {} : { transport }),
		...(options.country === undefined ? {} : { destinationCountry: options.country }),
	});
}

/** A new trunk whose settings are refused is none: another try would find its number taken. */
async function settle(server: Server, id: string, settings: Record<string, unknown> | undefined): Promise<void> {
	try {
		await putSettings(server, id, settings);
	} catch (error) {
		await server.sip.deleteSipTrunk(id);
		throw error;
	}
}

async function putSettings(server: Server, id: string, settings: Record<string, unknown> | undefined): Promise<void> {
	if (settings !== undefined) await server.send("PUT", `/v1/trunks/${encodeURIComponent(id)}/settings`, settings);
}

const numbersOf = ({ numbers }: { numbers: string[] }): string => numbers.join(", ") || "every number";
