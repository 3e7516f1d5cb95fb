import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Spread, spread } from "../statistics.ts";
import { sdpBody } from "./messages.ts";
import { SocketEndpoint } from "./socket-endpoint.ts";

export interface SetUps {
	perSecond: number;
	offered: number;
	answered: number;
	failed: number;
	/** INVITE → 200, ms */
	setUp: Spread | undefined;
	/** of the answering process */
	cpuPercent: number;
	rssMb: { begin: number; end: number };
}

const PEER = fileURLToPath(new URL("answering-peer.ts", import.meta.url));
/** Calls are placed in bursts of this many ms; a timer for each would measure the timers. */
const BURST_MS = 10;
const LAST_CALLS_MS = 2_000;

/** Calls a process of its own over UDP at a steady rate: INVITE, 180, 200, ACK, and BYE at once. One process answers, so that is what one core does. */
export async function setUps(perSecond: number, seconds: number): Promise<SetUps> {
	const peer = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PEER], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
	const nextLine = async <T>(): Promise<T> => JSON.parse((await lines.next()).value as string) as T;
	const usage = (): Promise<{ cpuMs: number; rssMb: number }> => {
		peer.stdin.write("?");
		return nextLine();
	};
	const { port } = await nextLine<{ port: number }>();
	const times: number[] = [];
	const began = new Map<string, number>();
	let failed = 0;
	const caller = await SocketEndpoint.open((event) => {
		if (event.type === "answered") {
			times.push(performance.now() - (began.get(event.leg) ?? 0));
			caller.handle({ kind: "bye", leg: event.leg });
		}
		if (event.type === "failed") failed++;
		if (event.type === "failed" || event.type === "ended") began.delete(event.leg);
	});
	const target = { host: "127.0.0.1", port, transport: "UDP" } as const;
	const before = await usage();
	const start = performance.now();
	let offered = 0;
	for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - start) {
		for (; offered < (elapsed * perSecond) / 1000; offered++) {
			const leg = String(offered);
			began.set(leg, performance.now());
			const uri = `sip:${leg}@127.0.0.1:${port}`;
			caller.handle({ kind: "call", leg, requestUri: uri, from: { uri: "sip:bench@127.0.0.1" }, to: { uri }, target, body: sdpBody });
		}
		await delay(BURST_MS);
	}
	const elapsedMs = performance.now() - start;
	const after = await usage();
	await delay(LAST_CALLS_MS);
	caller.close();
	peer.stdin.end();
	await new Promise((resolve) => peer.once("exit", resolve));
	return {
		...{ perSecond, offered, answered: times.length, failed, setUp: spread(times) },
		cpuPercent: ((after.cpuMs - before.cpuMs) / elapsedMs) * 100,
		rssMb: { begin: before.rssMb, end: after.rssMb },
	};
}
