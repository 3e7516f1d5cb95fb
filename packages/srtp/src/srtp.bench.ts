/* What one packet of 20 ms G.711 costs: `npm run example -- packages/srtp/src/srtp.bench.ts` */
import { nodeCrypto } from "./node.ts";
import { SrtpReceiver } from "./receiver.ts";
import { SrtpSender } from "./sender.ts";
import { masterKeyBytes, MAX_OVERHEAD_BYTES, SRTP_SUITES, type SrtpSuite } from "./suites.ts";

const HEADER_BYTES = 12;
const PAYLOAD_BYTES = 160;
const ROUNDS = 5;
const PACKETS = 20_000;

function measure(suite: SrtpSuite): { protect: number; unprotect: number } {
	const master = new Uint8Array(masterKeyBytes(suite)).fill(7);
	const sender = new SrtpSender(nodeCrypto, suite, master);
	const receiver = new SrtpReceiver(nodeCrypto, suite, master);
	const packets = Array.from({ length: PACKETS }, () => new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES + MAX_OVERHEAD_BYTES));
	const best = { protect: Number.POSITIVE_INFINITY, unprotect: Number.POSITIVE_INFINITY };
	let sequence = 0;
	for (let round = 0; round < ROUNDS; round++) {
		for (const packet of packets) {
			packet.fill(0);
			packet[0] = 0x80;
			packet[2] = sequence >> 8;
			packet[3] = sequence & 0xff;
			sequence = (sequence + 1) & 0xffff;
		}
		let length = 0;
		const start = performance.now();
		for (const packet of packets) length = sender.protectRtp(packet, HEADER_BYTES + PAYLOAD_BYTES);
		const sealed = performance.now();
		let opened = 0;
		for (const packet of packets) if (receiver.unprotectRtp(packet.subarray(0, length)) !== undefined) opened += 1;
		const end = performance.now();
		if (opened !== PACKETS) throw new Error(`${suite}: ${opened} of ${PACKETS} packets could be opened`);
		best.protect = Math.min(best.protect, ((sealed - start) * 1000) / PACKETS);
		best.unprotect = Math.min(best.unprotect, ((end - sealed) * 1000) / PACKETS);
	}
	return best;
}

process.stdout.write("suite                      protect  unprotect   (µs per packet of 160 bytes, best of 5 × 20 000)\n");
for (const suite of Object.keys(SRTP_SUITES) as SrtpSuite[]) {
	const { protect, unprotect } = measure(suite);
	process.stdout.write(`${suite.padEnd(26)} ${protect.toFixed(1).padStart(7)} ${unprotect.toFixed(1).padStart(10)}\n`);
}
