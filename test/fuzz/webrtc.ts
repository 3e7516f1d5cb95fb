import { createHmac, randomBytes } from "node:crypto";
import { type DtlsCertificate, DtlsEndpoint, type DtlsOutput, DTLS_SRTP_SUITES, newCertificate, nodeCrypto } from "@trunkline/dtls";
import { IceAgent, type IceOutput } from "@trunkline/ice";
import { bindingRequest } from "@trunkline/testkit/stun";
import { parseMediaSections } from "../../media-node/src/room/sdp-sections.ts";
import { parseRemoteTransport } from "../../media-node/src/room/webrtc/remote-transport.ts";

const [client, server] = await Promise.all([newCertificate(), newCertificate()]);
/** What an endpoint says in answer to one datagram, at most: more would make it an amplifier, or worse. */
const MAX_OUTPUTS = 12;

function endpoint(role: "client" | "server", own: DtlsCertificate, theirs: DtlsCertificate): DtlsEndpoint {
	const fingerprints = [{ algorithm: "sha-256", value: theirs.fingerprint }];
	return new DtlsEndpoint({
		...{ role, certificate: own, fingerprints, suites: DTLS_SRTP_SUITES, crypto: nodeCrypto },
		cookieExchange: false,
	});
}

function drain(end: DtlsEndpoint): DtlsOutput[] {
	const outputs: DtlsOutput[] = [];
	for (let output = end.poll(); output !== undefined; output = end.poll()) outputs.push(output);
	if (outputs.length > MAX_OUTPUTS) throw new Error(`${outputs.length} outputs`);
	return outputs;
}

const packetsOf = (end: DtlsEndpoint): Buffer[] => drain(end).flatMap((output) => (output.kind === "send" ? [output.packet] : []));

/** Both ends after so many of the four flights; `last` is the flight that comes next. */
function pair(flights: number): { ends: [DtlsEndpoint, DtlsEndpoint]; last: Buffer[] } {
	const ends: [DtlsEndpoint, DtlsEndpoint] = [endpoint("client", client, server), endpoint("server", server, client)];
	ends[0].start(0);
	let last = packetsOf(ends[0]);
	for (let flight = 0; flight < flights; flight++) {
		const to = ends[(flight + 1) % 2] as DtlsEndpoint;
		for (const packet of last) to.receive(packet, flight);
		last = packetsOf(to);
	}
	return { ends, last };
}

/** ClientHello; the server's flight; the client's; the server's last. */
export const DTLS_FLIGHTS: readonly Uint8Array[] = [0, 1, 2, 3].map((flights) => Uint8Array.from(Buffer.concat(pair(flights).last)));

/** Gives the bytes to whoever is to answer the flight after so many; nobody is connected by what was not made with the keys. */
export function feedDtls(flights: number, bytes: Uint8Array): void {
	const { ends, last } = pair(flights);
	const end = ends[(flights + 1) % 2] as DtlsEndpoint;
	end.receive(Buffer.from(bytes), 100);
	const isGenuine = last.some((packet) => Buffer.from(bytes).includes(packet.subarray(-24)));
	for (const output of drain(end)) {
		if (output.kind === "data") throw new Error("data without an association");
		if (output.kind === "connected" && !isGenuine) throw new Error("connected by forged bytes");
	}
	for (let now = 100; now < 20_000; now += 500) {
		end.timeout(now);
		drain(end);
	}
	if (end.timeoutAt !== undefined && end.timeoutAt < 20_000 - 4_500) throw new Error("a timer that is never served");
}

const CONNECTED = pair(3);
for (const packet of CONNECTED.last) CONNECTED.ends[0].receive(packet, 4);
drain(CONNECTED.ends[0]);
CONNECTED.ends[0].send(Buffer.from("under the keys"));
/** Of an association that is up. */
export const CONNECTED_RECORD: Uint8Array = Uint8Array.from(Buffer.concat(packetsOf(CONNECTED.ends[0])));

/** To the other side of it, again and again: nothing but that record is heard, and it once. */
let heard = 0;
export function feedConnectedDtls(bytes: Uint8Array): void {
	const [, end] = CONNECTED.ends;
	end.receive(Buffer.from(bytes), 1_000);
	for (const output of drain(end)) {
		if (output.kind !== "data" || output.data.toString() !== "under the keys") throw new Error(`forged records did this: ${output.kind}`);
		if (++heard > 1) throw new Error("a record was heard twice");
	}
	if (end.timeoutAt !== undefined) throw new Error("a timer of an association that is up");
}

const PASSWORD = "the password of this side";
const PATH = { local: 0, address: "192.0.2.1", port: 4000 };
export const ICE_PACKETS: readonly Uint8Array[] = [Uint8Array.from(bindingRequest("ours:theirs", PASSWORD, true)), response()];

function agent(): IceAgent {
	const made = new IceAgent({
		...{ ufrag: "ours", password: PASSWORD, controlling: false, tieBreaker: new Uint8Array(8).fill(5) },
		random: (length) => new Uint8Array(length).fill(7),
		hmacSha1: (key) => (message, tail) => createHmac("sha1", key).update(message).update(tail).digest(),
	});
	made.addLocal({ id: 0, priority: 1 }, 0);
	made.setRemote({ ufrag: "theirs", password: PASSWORD, isLite: false }, 0);
	return made;
}

/** Of a peer with the same password, to the first check of `agent`. */
function response(): Uint8Array {
	const [ours, theirs] = [agent(), agent()];
	ours.addRemote({ ...PATH, priority: 1 }, 0);
	const check = ours.poll();
	if (check?.kind !== "send") throw new Error("no check");
	theirs.receive(check.packet, PATH, 0);
	const answer = theirs.poll();
	return answer?.kind === "send" ? answer.packet : Uint8Array.from(randomBytes(20));
}

export function feedIce(bytes: Uint8Array): void {
	const ice = agent();
	ice.addRemote({ ...PATH, priority: 1 }, 0);
	ice.receive(bytes, PATH, 1);
	ice.receive(bytes, { ...PATH, port: 4001 }, 2);
	const outputs: IceOutput[] = [];
	for (let output = ice.poll(); output !== undefined; output = ice.poll()) outputs.push(output);
	if (outputs.length > MAX_OUTPUTS) throw new Error(`${outputs.length} outputs`);
	for (let now = 0; now < 60_000; now = Math.max(now + 1, ice.nextAt ?? 60_000)) ice.tick(now);
}

export const ROOM_SDP =
	"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 111\r\nc=IN IP4 0.0.0.0\r\na=setup:active\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtpmap:111 opus/48000/2\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=msid:PA_x|TR_y TR_y\r\na=ssrc:5 cname:x\r\na=sendonly\r\na=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\na=max-message-size:65535\r\n";

export function feedRoomSdp(sdp: string): void {
	const transport = parseRemoteTransport(sdp);
	for (const { port } of transport?.candidates ?? []) if (!(port > 0 && port < 65_536)) throw new Error(`port ${port}`);
	for (const { ssrcs } of parseMediaSections(sdp))
		if (ssrcs.some((ssrc) => !(ssrc >= 0 && ssrc <= 0xffff_ffff))) throw new Error("an SSRC");
}
