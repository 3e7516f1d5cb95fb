import { Resolver } from "node:dns/promises";
import { type Command, InvalidArgumentError } from "commander";
import { environment, type ServerAccess } from "../config.ts";
import type { Context, MakeContext } from "../context.ts";
import { checkApi, checkLivekit } from "../doctor/server.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkAddress, checkPorts, machineSettings } from "../doctor/machine.ts";
import { checkProvider } from "../doctor/provider.ts";
import { CliError } from "../errors.ts";
import { examples, many } from "../options.ts";
import { clean } from "../output.ts";
import { trunkOf, trunks } from "./trunk.ts";

interface DoctorOptions {
	trunk?: string[];
	trunks: boolean;
	dns?: string[];
}

const SIGN = { ok: "✓", warning: "!", wrong: "✗" } as const;
const TRANSPORTS = ["AUTO", "UDP", "TCP", "TLS"] as const;

export function doctorCommand(program: Command, contextOf: MakeContext): void {
	program
		.command("doctor")
		.description("look for what keeps calls from working: ports, addresses, LiveKit, clocks, and each trunk's provider")
		.option("--trunk <trunk>", "ask the provider of this outbound trunk alone; may be given again", many)
		.option("--no-trunks", "ask no provider")
		.option("--dns <address>", "DNS server to use for the names of trunks; may be given again", dnsServers)
		.addHelpText(
			"after",
			`${examples("doctor", "doctor --no-trunks --json", "doctor --trunk ST_3nVKGYxUmDbQ")}

Reads the variables of npm start (HOST, PORT, SIP_PORT, RTP_PORT_RANGE, ADVERTISED_ADDRESS, LIVEKIT_URL). Nothing is contacted but the server, the
LiveKit server of LIVEKIT_URL and the addresses that outbound trunks name. Exit code 1: something is wrong.`,
		)
		.action(async (options: DoctorOptions, command: Command) => {
			const context = contextOf(command);
			const findings = await examine(context, options);
			context.output.result(findings, () => findings.map(line).join("\n"));
			const bad = findings.filter(({ status }) => status === "wrong").length;
			if (bad > 0) throw new CliError(bad === 1 ? "one thing is wrong" : `${bad} things are wrong`);
		});
}

function dnsServers(text: string, before: string[] | undefined): string[] {
	try {
		new Resolver().setServers([text]);
	} catch {
		throw new InvalidArgumentError("It must be an IP address, with a port if need be.");
	}
	return many(text, before);
}

async function examine({ server, output }: Context, options: DoctorOptions): Promise<Finding[]> {
	const { access } = server();
	const done = output.progress("looking");
	try {
		const env = environment();
		const settings = machineSettings(env);
		const api = await checkApi(access);
		const isHere = ["127.0.0.1", "localhost", "[::1]"].includes(new URL(access.url).hostname);
		const ports = api.isUp || !isHere ? [] : await checkPorts(settings);
		const address = isHere ? [checkAddress(settings)] : [];
		const livekit = livekitAccess(env);
		const rooms = livekit === undefined ? [] : await checkLivekit(livekit);
		const usable = api.findings.every(({ status }) => status === "ok");
		const providers = usable && options.trunks ? await checkTrunks({ server, output }, options) : [];
		return [...api.findings, ...ports, ...address, ...rooms, ...providers];
	} finally {
		done();
	}
}

async function checkTrunks({ server }: Context, { trunk: ids, dns }: DoctorOptions): Promise<Finding[]> {
	const chosen = ids === undefined ? (await trunks(server())).outbound : await Promise.all(ids.map((id) => outboundOf(server(), id)));
	const findings = chosen.map(({ sipTrunkId: trunkId, name, address, transport }) =>
		checkProvider({ trunkId, name, address, transport: TRANSPORTS[transport] ?? "AUTO" }, dns),
	);
	return (await Promise.all(findings)).flat();
}

async function outboundOf(server: ReturnType<Context["server"]>, id: string) {
	const found = await trunkOf(server, id);
	if (found.kind === "inbound") throw new CliError(`${id} is an inbound trunk: it names no address that could be asked`);
	return found.info;
}

function livekitAccess(env: Readonly<Record<string, string | undefined>>): ServerAccess | undefined {
	const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = env;
	return url && apiKey && apiSecret ? { url, apiKey, apiSecret } : undefined;
}

function line({ check, status, found, todo }: Finding): string {
	return `${SIGN[status]} ${check}: ${clean(found)}${todo === undefined ? "" : `\n    ${todo}`}`;
}
