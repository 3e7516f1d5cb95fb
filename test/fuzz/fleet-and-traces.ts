import { createHmac } from "node:crypto";
import type { CallTrace } from "@trunkline/contracts";
import { writeLadder, callIdOf, decodeBytes, encodeBytes, ladderOf, maskMessage, writePcapng } from "@trunkline/trace";
import { readPcapng } from "@trunkline/testkit";
import { mark, readMarked } from "../../media-node/src/relay/marker.ts";

const SECRET = "hunter2-4711";

/** A message with secrets where they belong, and a stranger's text before, between and behind them. */
export function feedMask([before, between, behind]: readonly [string, string, string]): void {
	const line = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");
	const text = `${before}\r\nAuthorization: Bearer ${SECRET}\r\nX-Auth-Token: ${SECRET}\r\nX-Other: ${line(between)}\r\nContent-Type: application/dtmf\r\n\r\n${behind}`;
	for (const numbers of [false, true]) {
		const masked = maskMessage(text, { numbers });
		if (masked.length !== text.length) throw new Error("masking has moved what it did not mask");
		if (maskMessage(masked, { numbers }) !== masked) throw new Error("what is masked is masked again");
		// Behind a blank line of the stranger's own the rest is a body of a type that nobody said: none of it is shown.
		if (![before, between, behind].some((part) => part.includes(SECRET)) && masked.includes(SECRET))
			throw new Error(`a secret is shown: ${masked}`);
	}
	callIdOf(text);
}

const CALL_ID = "SCL_fuzz";

/** What a stranger sent, as it is kept, shown and written to a file. */
export function feedTrace(bytes: Uint8Array): void {
	const text = decodeBytes(bytes);
	if (!Buffer.from(encodeBytes(text)).equals(bytes)) throw new Error("bytes that are not those that came");
	const [local, remote] = [
		{ host: "192.0.2.1", port: 5060 },
		{ host: "198.51.100.7", port: 5090 },
	];
	const trace: CallTrace = {
		...{ version: 1, callId: CALL_ID, projectId: "p", region: "r", dropped: 0, numbersMasked: false, expiresAtSeconds: 2 },
		messages: [{ at: 1_700_000_000_000.5, direction: "received", transport: "UDP", local, remote, text, bytes: bytes.length }],
	};
	const call = {
		...{ id: CALL_ID, direction: "inbound", state: "active", region: "r", from: "", to: "", trunkId: "", ruleId: "", roomName: "" },
		...{ createdAt: 1, sipCallId: "", timeline: [], participant: { identity: "", id: "" } },
	};
	writeLadder(ladderOf(call as unknown as Parameters<typeof ladderOf>[0], [trace], true));
	const { packets } = readPcapng(writePcapng([trace], text.slice(0, 100)));
	if (packets[0]?.payload !== Buffer.from(bytes).toString("latin1")) throw new Error("the file has other bytes");
}

/** A file of somebody's: an error, or packets; never for ever. */
export function feedPcapng(bytes: Uint8Array): void {
	try {
		readPcapng(bytes);
	} catch (error) {
		if (!(error instanceof Error)) throw error;
	}
}

const LOCAL = { host: "192.0.2.1", port: 5060 };
export const PCAPNG = writePcapng(
	[
		{
			...{ version: 1, callId: CALL_ID, projectId: "p", region: "r", dropped: 0, numbersMasked: false, expiresAtSeconds: 2 },
			messages: [
				{ at: 1, direction: "sent", transport: "TCP", local: LOCAL, remote: LOCAL, text: "OPTIONS sip:a SIP/2.0\r\n\r\n", bytes: 25 },
			],
		},
	],
	"a file",
);

const NOW = 1_700_000_000_000;
const mac = (bytes: Uint8Array): Uint8Array => createHmac("sha256", "the fleet's").update(bytes).digest();
const REQUEST = Buffer.from("BYE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx\r\n\r\n");
export const MARKED = mark(REQUEST, { host: "192.0.2.7", port: 5060, transport: "UDP", silent: false, at: NOW }, mac);

/** What is not as a node of the fleet has sealed it is no node's. */
export function feedMarker(bytes: Uint8Array): void {
	const read = readMarked(bytes, NOW, mac);
	if (read !== undefined && !Buffer.from(bytes).equals(MARKED)) throw new Error("a marker of somebody without the secret was taken");
}
