/**
 * What a join costs, apart from everything else that a call does: `node media-node/src/room/join.bench.ts [joins] [per second]`. Two in each room, so that
 * each hears somebody; the rooms are in another process, or on the server that LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RoomSession } from "../call/ports.ts";
import { LiveKitRoomConnector } from "./livekit-room-connector.ts";
import { joinToken } from "./token.ts";

const ROOM_SERVER = fileURLToPath(new URL("../../../packages/room-server/src/main.ts", import.meta.url));
const WARM_UP = 40;
/** sessions stay so long, then leave */
const STAY_MS = 300;

async function startRooms(): Promise<{ url: string; apiKey: string; apiSecret: string; stop: () => void }> {
	const { LIVEKIT_URL, LIVEKIT_API_KEY = "", LIVEKIT_API_SECRET = "" } = process.env;
	if (LIVEKIT_URL) return { url: LIVEKIT_URL, apiKey: LIVEKIT_API_KEY, apiSecret: LIVEKIT_API_SECRET, stop: () => undefined };
	const port = 20_000 + (process.pid % 10_000);
	const child: ChildProcess = spawn(process.execPath, [ROOM_SERVER], {
		env: { ...process.env, PORT: String(port) },
		stdio: ["ignore", "pipe", "ignore"],
	});
	await new Promise<void>((resolve) => child.stdout?.once("data", () => resolve()));
	process.once("exit", () => child.kill("SIGKILL"));
	return { url: `ws://127.0.0.1:${port}`, apiKey: "devkey", apiSecret: "secret", stop: () => child.kill("SIGTERM") };
}

async function measure(count: number, perSecond: number, path: "single" | "dual"): Promise<string> {
	const rooms = await startRooms();
	const connector = new LiveKitRoomConnector({ path });
	const took: number[] = [];
	const join = async (index: number): Promise<void> => {
		const token = await joinToken({
			...{ apiKey: rooms.apiKey, apiSecret: rooms.apiSecret, room: `bench-${process.pid}-${index >> 1}`, identity: `caller-${index}` },
			...{ name: "", metadata: "", attributes: {} },
		});
		const since = performance.now();
		const session: RoomSession = await connector.join({
			...{ url: rooms.url, token, publishCodecs: ["PCMU"], trackName: "t", onEvent: () => undefined },
		});
		took.push(performance.now() - since);
		await delay(STAY_MS);
		await session.close();
	};
	const run = async (joins: number, from: number): Promise<void> => {
		const all: Promise<void>[] = [];
		for (let index = 0; index < joins; index++) {
			all.push(join(from + index));
			await delay(1_000 / perSecond);
		}
		await Promise.all(all);
	};
	try {
		await run(WARM_UP, 0);
		took.length = 0;
		const before = process.cpuUsage();
		await run(count, WARM_UP);
		const { user, system } = process.cpuUsage(before);
		took.sort((a, b) => a - b);
		const at = (share: number): string => (took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? Number.NaN).toFixed(1);
		const each = ((user + system) / 1_000 / count).toFixed(2);
		return `${count} joins, ${perSecond} a second, ${path}: ${each} ms of CPU each (join, ${STAY_MS} ms in the room, leave), p50 ${at(0.5)} / p95 ${at(0.95)} ms`;
	} finally {
		rooms.stop();
	}
}

const [count = "200", perSecond = "50"] = process.argv.slice(2);
for (const path of ["single", "dual"] as const) process.stdout.write(`${await measure(Number(count), Number(perSecond), path)}\n`);
process.exit(0);
