import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SipClient } from "livekit-server-sdk";
import type { ProbeAnswer, ProbeQuestion } from "./probe-protocol.ts";
import { freePort, Program } from "./processes.ts";

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
	program: Program;
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
