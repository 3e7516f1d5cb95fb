import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SipClient } from "livekit-server-sdk";
import type { ProbeAnswer, ProbeQuestion } from "./probe-protocol.ts";
import { freePort, Program, residentMb } from "./processes.ts";

/** Where rooms are, and the keys to them. */
export interface Rooms {
	url: string;
	apiKey: string;
	apiSecret: string;
	/** undefined = a server that is not ours */
	program?: Program;
}

/** The system under test, in a process of its own. */
export interface System {
	/** pid 0: a process that we do not know */
	program: Pick<Program, "pid">;
	sipPort: number;
	sip: SipClient;
	rooms: Rooms;
	/** what threads hold and have allocated */
	probe(what: ProbeQuestion["what"]): Promise<ProbeAnswer>;
	stop(): Promise<void>;
}

/** The LiveKit server that the environment names, or our room server alone. */
export async function startRooms(env: Record<string, string | undefined>): Promise<Rooms> {
	const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = env;
	if (url !== undefined && url !== "") {
		if (!apiKey || !apiSecret) throw new Error("LIVEKIT_URL is set, so LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set too");
		return { url: url.replace(/^http/, "ws"), apiKey, apiSecret };
	}
	const port = await freePort("TCP");
	const program = await Program.start("room server", "packages/room-server/src/main.ts", {
		env: { PORT: String(port) },
		ready: "room server on",
	});
	return { url: `ws://127.0.0.1:${port}`, apiKey: "devkey", apiSecret: "secret", program };
}

/** `npm start` in a data directory of its own: with `rooms` it joins those, without it has its embedded ones. */
export async function startSystem(
	rooms: Rooms | undefined,
	{ profile, workers = 1 }: { profile?: string | undefined; workers?: number } = {},
): Promise<System> {
	const dataDir = mkdtempSync(join(tmpdir(), "trunkline-bench-"));
	const [port, sipPort] = await Promise.all([freePort("TCP"), freePort("UDP")]);
	const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
	// after Ctrl-C nothing else comes to it
	process.once("exit", remove);
	try {
		const program = await Program.start("system", "packages/local/src/main.ts", {
			env: {
				HOST: "127.0.0.1",
				ADVERTISED_ADDRESS: "127.0.0.1",
				PORT: String(port),
				SIP_PORT: String(sipPort),
				RTP_PORT_RANGE: "30000-39999",
				DATA_DIR: dataDir,
				LOG_LEVEL: "error",
				MAX_CALLS: "1000",
				MEDIA_WORKERS: String(workers),
				LIVEKIT_URL: rooms?.url ?? "",
				LIVEKIT_API_KEY: rooms?.apiKey ?? "",
				LIVEKIT_API_SECRET: rooms?.apiSecret ?? "",
			},
			nodeArgs: [
				...["--expose-gc", "--import", import.meta.resolve("./probe.ts")],
				...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
			],
			ready: "Trunkline is running",
		});
		const access = rooms ?? { url: `ws://127.0.0.1:${port}`, apiKey: "devkey", apiSecret: "secret" };
		return {
			program,
			sipPort,
			sip: new SipClient(`http://127.0.0.1:${port}`, access.apiKey, access.apiSecret),
			rooms: access,
			probe: (what) => program.ask(what, workers),
			stop: async () => {
				await program.stop();
				remove();
			},
		};
	} catch (error) {
		remove();
		throw error;
	}
}

/** A system that somebody else has started, beside the LiveKit server that the environment names: what it is asked through. */
export function foreignSystem({ sipPort, pid = 0 }: { sipPort: number; pid: number | undefined }, rooms: Rooms): System {
	if (rooms.program !== undefined)
		throw new Error("--against: LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET must name the LiveKit server of that system");
	const sip = new SipClient(rooms.url.replace(/^ws/, "http"), rooms.apiKey, rooms.apiSecret);
	return {
		...{ program: { pid }, sipPort, sip, rooms },
		probe: async () => ({ id: 0, rss: (residentMb(pid) ?? Number.NaN) * 1e6, threads: [] }),
		stop: () => removeOurs(sip),
	};
}

/** Trunks and rules that a benchmark has made. */
async function removeOurs(sip: SipClient): Promise<void> {
	const isOurs = ({ name }: { name: string }): boolean => name.startsWith("bench");
	for (const rule of (await sip.listSipDispatchRule()).filter(isOurs)) await sip.deleteSipDispatchRule(rule.sipDispatchRuleId);
	for (const trunk of (await sip.listSipInboundTrunk()).filter(isOurs)) await sip.deleteSipTrunk(trunk.sipTrunkId);
	for (const trunk of (await sip.listSipOutboundTrunk()).filter(isOurs)) await sip.deleteSipTrunk(trunk.sipTrunkId);
}
