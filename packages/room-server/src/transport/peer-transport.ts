import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { DtlsAssociation, type DtlsCertificate, type DtlsSrtpKeys } from "@trunkline/dtls";
import { type KeyedHmac, keyOfPassword } from "@trunkline/ice";
import { MAX_OVERHEAD_BYTES, SrtpReceiver as RtcpReceiver, SrtpSender as RtcpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";
import { rtpHeaderLength } from "../media/rtp-header.ts";
import { DataChannels, type DataKind } from "./data-channels.ts";
import { AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80, SrtpReceiver, SrtpSender } from "./srtp.ts";
import type { IcePeer, UdpEndpoint } from "./udp-endpoint.ts";

/** a browser reports under the SSRC of each of its tracks */
const MAX_RTCP_SSRCS = 64;

/** What the peer's first description says about its end. */
export interface RemoteTransport {
	/** SHA-256 fingerprints of its certificate, as `a=fingerprint` writes them */
	fingerprints: readonly string[];
	sctp: { port: number; maxMessageSize: number } | undefined;
}

export interface PeerTransportHandlers {
	/** ICE and DTLS are up; media and data may flow */
	onConnected(): void;
	/** an authenticated, decrypted RTP packet; `packet` still holds the header, `payload` may end in padding */
	onRtp(packet: Buffer, headerLength: number, payload: Buffer): void;
	/** an authenticated, decrypted compound RTCP packet */
	onRtcp(packet: Uint8Array): void;
	onData(kind: DataKind, message: Buffer): void;
	/** the connection can't be used any more; comes at most once, and not after `close()` */
	onFailed(reason: string): void;
}

/**
 * One peer connection without SDP: ICE-lite over a shared socket, DTLS as server (`a=setup:passive`), SRTP, data channels. Ownership: the session
 * that made it closes it; it never closes the socket.
 */
export class PeerTransport implements IcePeer {
	#credentials = newCredentials();
	/** of before the last ICE restart; in-flight checks still carry them */
	#olderUfrag = "";
	#remoteUfrag: string | undefined;
	readonly fingerprint: string;
	readonly #endpoint: UdpEndpoint;
	readonly #handlers: PeerTransportHandlers;
	readonly #certificate: DtlsCertificate;
	#dtls: DtlsAssociation | undefined;
	readonly #opensChannels: boolean;
	#remote: RemoteTransport | undefined;
	#address = "";
	#port = 0;
	#state: "new" | "connected" | "closed" = "new";
	#sender: SrtpSender | undefined;
	#receiver: SrtpReceiver | undefined;
	/** RTCP has its own indices and session keys under the same master keys (RFC 3711 §4.3.2) */
	#rtcp: { sender: RtcpSender; receiver: RtcpReceiver } | undefined;
	#channels: DataChannels | undefined;
	#heard = false;

	constructor(
		endpoint: UdpEndpoint,
		certificate: DtlsCertificate,
		handlers: PeerTransportHandlers,
		options: { opensChannels: boolean } = { opensChannels: false },
	) {
		this.#endpoint = endpoint;
		this.#handlers = handlers;
		this.#opensChannels = options.opensChannels;
		this.#certificate = certificate;
		this.fingerprint = certificate.fingerprint;
	}

	get ufrag(): string {
		return this.#credentials.ufrag;
	}

	get password(): string {
		return this.#credentials.password;
	}

	get hmac(): KeyedHmac {
		return this.#credentials.hmac;
	}

	/** New credentials for the next description; the path of now stays until checks with the new ones nominate another (RFC 8445 §9). */
	restartIce(): void {
		if (this.#remote === undefined) return;
		this.#endpoint.forget(this.#olderUfrag);
		this.#olderUfrag = this.ufrag;
		this.#credentials = newCredentials();
		this.#endpoint.attach(this);
	}

	/** To be told the `a=ice-ufrag` of each offer: another one than before restarts ICE, and the answer must have new credentials, too. */
	followRestart(remoteUfrag: string | undefined): void {
		if (this.#remoteUfrag !== undefined && remoteUfrag !== undefined && remoteUfrag !== this.#remoteUfrag) this.restartIce();
		this.#remoteUfrag = remoteUfrag ?? this.#remoteUfrag;
	}

	/** Lets packets in. To be called once, when the peer's description has been read and before ours is sent. */
	start(remote: RemoteTransport): void {
		if (this.#remote !== undefined) return;
		this.#remote = remote;
		const dtls = new DtlsAssociation({
			role: "server",
			certificate: this.#certificate,
			fingerprints: remote.fingerprints.map((value) => ({ algorithm: "sha-256", value })),
			suites: ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"],
			// packets come from addresses only that a check with our password came from
			cookieExchange: false,
			send: (packet) => this.#send(packet),
			onConnected: (keys) => this.#onDtlsConnected(keys),
			onFailed: (reason) => this.#fail(reason),
			onData: (data) => this.#channels?.receive(data),
		});
		this.#dtls = dtls;
		if (remote.sctp !== undefined) {
			this.#channels = new DataChannels(
				remote.sctp.port,
				remote.sctp.maxMessageSize,
				(data) => dtls.send(data),
				(kind, message) => this.#handlers.onData(kind, message),
			);
		}
		this.#endpoint.attach(this);
	}

	get started(): boolean {
		return this.#remote !== undefined;
	}

	/** the candidate every description carries: host, on the advertised address (RFC 8839 §5.1) */
	get candidate(): string {
		return `candidate:1 1 udp 2130706431 ${this.#endpoint.address} ${this.#endpoint.port} typ host generation 0`;
	}

	/** bytes to reserve behind each outgoing payload; undefined while not connected */
	get rtpOverhead(): number | undefined {
		return this.#sender?.overhead;
	}

	/** Protects and sends; `out` = header (already written) + room for payload and `rtpOverhead`. */
	sendRtp(out: Buffer, headerLength: number, payload: Uint8Array): void {
		if (this.#sender?.protect(out, headerLength, payload) === true) this.#send(out);
	}

	resend(packet: Buffer): void {
		this.#send(packet);
	}

	/** Protects and sends a compound packet. */
	sendRtcp(plain: Buffer): void {
		if (this.#rtcp === undefined) return;
		const packet = Buffer.alloc(plain.length + MAX_OVERHEAD_BYTES);
		plain.copy(packet);
		const length = this.#rtcp.sender.protectRtcp(packet, plain.length);
		if (length > 0) this.#send(packet.subarray(0, length));
	}

	sendData(kind: DataKind, message: Uint8Array): boolean {
		return this.#channels?.send(kind, message) ?? false;
	}

	/** True when anything arrived since the last call: the liveness test (RFC 7675 keeps checks coming from the peer). */
	takeHeard(): boolean {
		const heard = this.#heard;
		this.#heard = false;
		return heard;
	}

	async close(): Promise<void> {
		if (this.#state === "closed") return;
		this.#state = "closed";
		await this.#channels?.close();
		this.#endpoint.detach(this);
		this.#dtls?.close();
	}

	onCheck(address: string, port: number, nominated: boolean): void {
		this.#heard = true;
		// RFC 8445 §8.2: a lite agent uses the pair that the controlling side nominated; until then, any valid one
		if (!nominated && this.#port !== 0) return;
		this.#address = address;
		this.#port = port;
	}

	onPacket(packet: Buffer): void {
		this.#heard = true;
		const first = packet[0] ?? 0;
		if (first >= 128 && first <= 191) this.#receiveMedia(packet);
		else if (first >= 20 && first <= 63) this.#dtls?.receive(packet);
	}

	#receiveMedia(packet: Buffer): void {
		if (this.#receiver === undefined) return;
		// RFC 5761 §4: 192-223 in the second byte is RTCP
		const second = packet[1] ?? 0;
		if (second >= 192 && second <= 223) {
			const rtcp = this.#rtcp?.receiver.unprotectRtcp(packet);
			if (rtcp !== undefined) this.#handlers.onRtcp(rtcp);
			return;
		}
		const headerLength = rtpHeaderLength(packet);
		if (headerLength === undefined) return;
		const payload = this.#receiver.unprotect(packet, headerLength);
		if (payload !== undefined) this.#handlers.onRtp(packet, headerLength, payload);
	}

	#onDtlsConnected({ suite, local, remote }: DtlsSrtpKeys): void {
		if (this.#state !== "new" || this.#remote === undefined) return;
		const profile = suite === "AEAD_AES_128_GCM" ? AEAD_AES_128_GCM : AES_CM_128_HMAC_SHA1_80;
		this.#sender = new SrtpSender(profile, local.key, local.salt);
		this.#receiver = new SrtpReceiver(profile, remote.key, remote.salt);
		const crypto = { sender: Buffer.concat([local.key, local.salt]), receiver: Buffer.concat([remote.key, remote.salt]) };
		this.#rtcp = {
			sender: new RtcpSender(nodeCrypto, suite, crypto.sender),
			receiver: new RtcpReceiver(nodeCrypto, suite, crypto.receiver, new Map(), MAX_RTCP_SSRCS),
		};
		this.#state = "connected";
		if (this.#remote.sctp !== undefined) {
			this.#channels?.start(this.#remote.sctp.port);
			if (this.#opensChannels) this.#channels?.open();
		}
		this.#handlers.onConnected();
	}

	#send(packet: Uint8Array): void {
		if (this.#port !== 0) this.#endpoint.send(packet, this.#port, this.#address);
	}

	#fail(reason: string): void {
		if (this.#state === "closed") return;
		this.#handlers.onFailed(reason);
	}
}

function newCredentials(): { ufrag: string; password: string; hmac: KeyedHmac } {
	const password = randomBytes(18).toString("base64url");
	const key = createSecretKey(keyOfPassword(password));
	return {
		ufrag: randomBytes(6).toString("base64url"),
		password,
		hmac: (message, tail) => createHmac("sha1", key).update(message).update(tail).digest(),
	};
}
