import { createSocket } from "node:dgram";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { type OutgoingCall, Phone } from "@trunkline/phone";
import { provisionPairs } from "./pairs.ts";
import { Program } from "./processes.ts";
import { startRooms, startSystem, type System } from "./systems.ts";
import { watch } from "./window.ts";

const HELP = `What a flood from a stranger does to live calls, on this machine (loopback only; it stops itself)

  npm run example test/load/flood.ts -- [--calls 4] [--seconds 6] [--rates 500,2000] [--kinds invite,options,scanner,garbage]

The flood comes from 127.0.0.2, the calls from 127.0.0.1. "gap" is the longest time without an RTP packet in any call (20 ms is normal).
`;

interface Flood {
	kind: string;
	rate: number;
	ms: number;
	port: number;
}

const TICK_MS = 5;

/** Runs in a thread of its own, so that the measuring side is not late because of it. Counts what comes back. */
async function flood({ kind, rate, ms, port }: Flood): Promise<{ sent: number; answered: number }> {
	const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.2", resolve));
	let answered = 0;
	socket.on("message", () => void (answered += 1));
	const start = performance.now();
	let sent = 0;
	for (let now = start; now - start < ms; now = performance.now()) {
		for (const due = ((now - start) / 1000) * rate; sent < due; sent++) socket.send(datagram(kind, sent), port, "127.0.0.1");
		await delay(TICK_MS);
	}
	await delay(200);
	socket.close();
	return { sent, answered };
}

/** No two rows may send the same requests: they would be taken for repetitions. */
const run = Math.floor(performance.timeOrigin).toString(36);

function datagram(kind: string, index: number): Buffer {
	if (kind === "garbage") return Buffer.from(Array.from({ length: 400 }, (_, at) => (at * 31 + index * 7) & 0xff));
	const method = kind === "options" ? "OPTIONS" : "INVITE";
	const agent = kind === "scanner" ? "friendly-scanner" : "Phone/1.0";
	return Buffer.from(
		[
			`${method} sip:${100_000 + index}@127.0.0.1 SIP/2.0`,
			`Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK${run}${index};rport`,
			"Max-Forwards: 70",
			`From: <sip:100@127.0.0.2>;tag=f${index}`,
			`To: <sip:${100_000 + index}@127.0.0.1>`,
			`Call-ID: ${run}-${index}@127.0.0.2`,
			`CSeq: 1 ${method}`,
			"Contact: <sip:100@127.0.0.2:5060>",
			`User-Agent: ${agent}`,
			"Content-Length: 0",
			"",
			"",
		].join("\r\n"),
	);
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: {
			calls: { type: "string", default: "4" },
			seconds: { type: "string", default: "6" },
			rates: { type: "string", default: "500,2000" },
			kinds: { type: "string", default: "invite,options,scanner,garbage" },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) return void process.stdout.write(HELP);
	process.once("exit", () => Program.killAll());
	const ms = Number(values.seconds) * 1_000;
	try {
		const rooms = await startRooms(process.env);
		const system = await startSystem(rooms);
		process.stdout.write("| flood | rate /s | sent | answered | gap ms | CPU % | memory MB |\n|---|---|---|---|---|---|---|\n");
		const live = await dial(system, Number(values.calls));
		await row(live, system, "none", 0, ms);
		for (const kind of values.kinds.split(",")) for (const rate of values.rates.split(",")) await row(live, system, kind, Number(rate), ms);
		await live.phone.close();
		await system.stop();
		await rooms.program?.stop();
	} finally {
		await Program.stopAll();
	}
}

interface Live {
	phone: Phone;
	longestGap(): number;
}

/** Pairs of telephones that hear each other; `longestGap` is that since it was last asked. */
async function dial(system: System, count: number): Promise<Live> {
	const numbers = await provisionPairs(system, count / 2);
	const phone = await Phone.open({ record: false });
	const calls: OutgoingCall[] = [];
	for (let index = 0; index < count; index++) {
		const uri = `sip:${numbers[index >> 1]}@127.0.0.1:${system.sipPort}`;
		calls.push(await phone.call(uri, { from: `+1444${1_000_000 + index}`, codecs: ["PCMU"], timeoutMs: 15_000 }));
	}
	let longest = 0;
	for (const call of calls) {
		let last = performance.now();
		call.setSource(() => true);
		call.onRtp((_, arrivalMs) => {
			longest = Math.max(longest, arrivalMs - last);
			last = arrivalMs;
		});
	}
	await Promise.all(calls.map((call) => call.answered()));
	await delay(2_000);
	const longestGap = (): number => {
		const gap = longest;
		longest = 0;
		return gap;
	};
	longestGap();
	return { phone, longestGap };
}

async function row(live: Live, system: System, kind: string, rate: number, ms: number): Promise<void> {
	live.longestGap();
	const task: Flood = { kind, rate, ms, port: system.sipPort };
	const worker = rate === 0 ? undefined : new Worker(new URL(import.meta.url), { workerData: task });
	const told = new Promise<{ sent: number; answered: number }>((resolve, reject) => {
		if (worker === undefined) return resolve({ sent: 0, answered: 0 });
		worker.once("message", resolve);
		worker.once("error", reject);
	});
	const { cpuPercent, memoryMb } = await watch(system, ms);
	const gap = live.longestGap();
	const { sent, answered } = await told;
	process.stdout.write(
		`| ${kind} | ${rate} | ${sent} | ${answered} | ${gap.toFixed(0)} | ${cpuPercent?.toFixed(0) ?? "?"} | ${memoryMb?.toFixed(0) ?? "?"} |\n`,
	);
	await delay(1_500);
}

if (isMainThread) await main();
else {
	const { parentPort } = await import("node:worker_threads");
	parentPort?.postMessage(await flood(workerData as Flood));
}
