import { isIPv6 } from "node:net";
import type { AudioCodec, LocalCrypto } from "@trunkline/sdp";
import {
	type EndpointStats,
	header,
	parseNameAddr,
	parseUri,
	readReferNotify,
	type SipEvent,
	type SipRequest,
	type SipTransport,
} from "@trunkline/sip";
import type { CallLine, PhoneCall } from "./call.ts";
import type { CallOptions } from "./call-options.ts";
import { newCrypto, newDtls, type PhoneSrtp } from "./encryption.ts";
import { PhoneError } from "./errors.ts";
import { IncomingCall } from "./incoming-call.ts";
import { CallMedia, type PortRange } from "./media.ts";
import { OutgoingCall } from "./outgoing-call.ts";
import { Referral } from "./referral.ts";
import { SipDriver } from "./sip-driver.ts";
import type { PhoneTls } from "./streams.ts";
import { resolveProxy, resolveUri } from "./target.ts";

export interface PhoneOptions {
	/** address to bind, for SIP and RTP; default 127.0.0.1 */
	host?: string;
	/** SIP port; default 0 = any free one */
	port?: number;
	/** what it is called by, and calls by where a URI says nothing else; default UDP. Over TLS it is called only with a certificate. */
	transport?: SipTransport;
	tls?: PhoneTls;
	/** what Contact, Via and SDP say, when `host` is a wildcard or the machine is behind NAT; default `host` */
	address?: string;
	rtpPortRange?: PortRange;
	/** user part of Contact and From, and name for digest authentication; default "phone" */
	username?: string;
	/** for digest authentication */
	password?: string;
	/** in order of preference; default PCMU, PCMA */
	codecs?: readonly AudioCodec[];
	/** encrypts calls; unset = in the clear */
	srtp?: PhoneSrtp;
	/** false: what is heard is not kept; default true */
	record?: boolean;
	/** how much of what is heard is kept per call; default 10 minutes */
	maxRecordMs?: number;
	/** one line per SIP message, without numbers, and per fault of a handler */
	log?: (line: string) => void;
}

const DEFAULT_CODECS: readonly AudioCodec[] = ["PCMU", "PCMA"];
/** How long `close` waits for the far sides to confirm. */
const CLOSE_GRACE_MS = 500;
const CLOSE_POLL_MS = 10;
const DEFAULT_RECORD_MS = 10 * 60_000;

/** A SIP telephone: calls and is called over UDP, TCP and TLS, any number of calls at once. */
export class Phone {
	readonly #options: PhoneOptions;
	readonly #host: string;
	readonly #address: string;
	readonly #calls = new Map<string, PhoneCall>();
	/** RTP sockets of calls that are over, until they are free */
	readonly #closingMedia = new Set<Promise<void>>();
	readonly #line: CallLine;
	#driver!: SipDriver;
	#onIncoming: ((call: IncomingCall) => void) | undefined;
	#onReferral: ((referral: Referral) => void) | undefined;
	#nextLeg = 0;
	#closing: Promise<void> | undefined;

	/** Binds the SIP port. Rejects with PhoneError when it cannot be had. */
	static async open(options: PhoneOptions = {}): Promise<Phone> {
		const phone = new Phone(options);
		await phone.#bind();
		return phone;
	}

	private constructor(options: PhoneOptions) {
		this.#options = options;
		this.#host = options.host ?? "127.0.0.1";
		this.#address = options.address ?? this.#host;
		if (/^[0.:]+$/.test(this.#address) && this.#address !== "::1")
			throw new PhoneError(`${this.#address} is no address that others can reach; set "address"`);
		this.#line = {
			feed: (input) => this.#driver.feed(input),
			openMedia: (call) => this.#openMedia(call),
			localMedia: (media, codecs, sessionId, sessionVersion) => ({
				address: this.#address,
				port: media.port,
				codecs,
				sessionId,
				sessionVersion,
			}),
			asked: (call, transaction, request) => this.#asked(call, transaction, request),
			forget: (call, closed) => {
				this.#calls.delete(call.leg);
				if (closed === undefined) return;
				this.#closingMedia.add(closed);
				void closed.finally(() => this.#closingMedia.delete(closed));
			},
		};
	}

	get port(): number {
		return this.#driver.port;
	}

	/** What others dial to reach this phone. */
	get uri(): string {
		return this.#uriOf(this.#options.username ?? "phone");
	}

	/** Breaks the TCP and TLS connections, as a network does; the next message opens a new one. */
	cutConnections(): void {
		this.#driver.cutConnections();
	}

	/** Calls that are not over. */
	get calls(): readonly PhoneCall[] {
		return [...this.#calls.values()];
	}

	/** What the SIP endpoint holds; answered requests are remembered for 32 s (RFC 3261 §17). */
	stats(): EndpointStats {
		return this.#driver.stats();
	}

	/** What happens to incoming calls; without a handler they get 480. */
	onIncoming(handler: (call: IncomingCall) => void): void {
		this.#onIncoming = handler;
	}

	/** What happens when a far side wants somebody else to be called (REFER); without a handler it gets 603. */
	onReferral(handler: (referral: Referral) => void): void {
		this.#onReferral = handler;
	}

	/**
	 * Dials. Resolves when the INVITE has left; `call.answered()` tells how it went on. Rejects with PhoneError when the URI is none, its
	 * host does not exist, or no RTP port is free.
	 */
	async call(uri: string, options: CallOptions = {}): Promise<OutgoingCall> {
		if (this.#closing !== undefined) throw new PhoneError("the phone is closed");
		const target =
			options.proxy === undefined
				? await resolveUri(uri, this.#options.transport)
				: await resolveProxy(options.proxy, this.#options.transport);
		this.#nextLeg += 1;
		const call = new OutgoingCall(this.#line, `out-${this.#nextLeg}`, options.codecs ?? this.#options.codecs ?? DEFAULT_CODECS);
		call.crypto = this.#newCrypto(options.srtp);
		this.#calls.set(call.leg, call);
		const username = options.username ?? this.#options.username;
		const password = options.password ?? this.#options.password;
		const invite = {
			requestUri: uri,
			from: { uri: this.#from(options.from ?? this.#options.username ?? "phone"), displayName: options.displayName ?? "" },
			to: { uri },
			target,
			...(options.headers && { headers: options.headers }),
			...(options.delayedOffer && { delayedOffer: true }),
			...(options.reliable && { reliable: true }),
			...(options.sessionTimer && { sessionTimer: options.sessionTimer }),
			...(username !== undefined && password !== undefined && { auth: { username, password } }),
		};
		try {
			await call.dial(invite, options.timeoutMs, options.telephoneEvent);
		} catch (error) {
			call.abandon();
			throw error instanceof PhoneError ? error : new PhoneError((error as Error).message, { cause: error });
		}
		return call;
	}

	/** Hangs up all calls, waits half a second at most for the far sides, then frees sockets and timers. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #bind(): Promise<void> {
		const port = this.#options.port ?? 0;
		try {
			this.#driver = await SipDriver.open({
				host: this.#host,
				port,
				transport: this.#options.transport ?? "UDP",
				tls: this.#options.tls ?? {},
				address: this.#address,
				user: this.#options.username ?? "phone",
				allow: ["REFER", "NOTIFY"],
				supported: ["100rel"],
				onEvent: (event) => this.#onSip(event),
				trace: (line) => this.#options.log?.(line),
			});
		} catch (error) {
			throw new PhoneError(bindProblem(error as NodeJS.ErrnoException, this.#host, port), { cause: error });
		}
	}

	async #close(): Promise<void> {
		for (const call of this.calls) call.hangup();
		const deadline = performance.now() + CLOSE_GRACE_MS;
		while (this.#driver.stats().legs > 0 && performance.now() < deadline)
			await new Promise((resolve) => setTimeout(resolve, CLOSE_POLL_MS));
		for (const call of this.calls) call.abandon();
		await Promise.all([...this.#closingMedia, this.#driver.close()]);
	}

	#onSip(event: SipEvent): void {
		// a fault in one call's handler must not stop the loop that serves the others
		try {
			if (event.type === "incoming") this.#incoming(event);
			else if (event.type === "out-of-dialog") this.#driver.feed({ kind: "respond", transaction: event.transaction, status: 405 });
			else if (event.type !== "registration") this.#calls.get(event.leg)?.onSip(event);
		} catch (error) {
			this.#options.log?.(`a handler of "${event.type}" failed: ${(error as Error).stack}`);
		}
	}

	#incoming({ leg, request }: Extract<SipEvent, { type: "incoming" }>): void {
		if (this.#onIncoming === undefined || this.#closing !== undefined) {
			this.#driver.feed({ kind: "reject", leg, status: 480 });
			return;
		}
		const parties = { from: userOf(parseNameAddr(header(request, "from") ?? "")?.uri), to: userOf(request.uri) };
		const call = new IncomingCall(this.#line, leg, this.#options.codecs ?? DEFAULT_CODECS, request, parties);
		call.crypto = this.#newCrypto();
		this.#calls.set(leg, call);
		this.#onIncoming(call);
	}

	#asked(call: PhoneCall, transaction: string, request: SipRequest): void {
		if (request.method === "NOTIFY") {
			const progress = readReferNotify(request);
			this.#driver.feed({ kind: "respond", transaction, status: progress === undefined ? 489 : 200 });
			if (progress !== undefined) call.emit("referral", progress);
			return;
		}
		const referral = new Referral(call, transaction, request, {
			feed: (input) => this.#driver.feed(input),
			call: (uri, options) => this.call(uri, options),
		});
		if (this.#onReferral === undefined || this.#closing !== undefined) referral.reject();
		else this.#onReferral(referral);
	}

	#newCrypto(srtp: PhoneSrtp | undefined = this.#options.srtp): LocalCrypto | undefined {
		return srtp === undefined || srtp.dtls === true ? undefined : newCrypto(srtp);
	}

	async #openMedia(call: PhoneCall): Promise<CallMedia> {
		const { rtpPortRange, record, maxRecordMs, srtp } = this.#options;
		if (srtp?.dtls === true) call.dtls ??= await newDtls(srtp);
		return CallMedia.open({
			host: this.#host,
			...(rtpPortRange && { ports: rtpPortRange }),
			record: record ?? true,
			maxRecordMs: maxRecordMs ?? DEFAULT_RECORD_MS,
			wrongKey: this.#options.srtp?.wrongKey === true,
			listener: {
				onDtmf: (event) => {
					if (event.type !== "start") return;
					call.digits += event.digit;
					call.emit("dtmf", event.digit);
				},
				onPlayed: () => call.emit("played"),
			},
		});
	}

	#from(text: string): string {
		if (!/^sips?:/i.test(text)) return this.#uriOf(text);
		if (parseUri(text) === undefined) throw new PhoneError(`"${text}" is no SIP URI`);
		return text;
	}

	#transportParameter(): string {
		const { transport } = this.#options;
		return transport === undefined || transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
	}

	#uriOf(user: string): string {
		const uri = `sip:${encodeURIComponent(user).replaceAll("%2B", "+")}@${isIPv6(this.#address) ? `[${this.#address}]` : this.#address}:${this.port}${this.#transportParameter()}`;
		if (parseUri(uri) === undefined) throw new PhoneError(`"${user}" cannot be a SIP user`);
		return uri;
	}
}

function userOf(uri: string | undefined): string {
	return (uri === undefined ? undefined : parseUri(uri))?.user ?? "";
}

function bindProblem(error: NodeJS.ErrnoException, host: string, port: number): string {
	if (error.code === "EADDRINUSE") return `UDP port ${port} on ${host} is in use by another program`;
	if (error.code === "EACCES") return `UDP port ${port} may not be opened by this user; ports from 1024 on may`;
	if (error.code === "EADDRNOTAVAIL") return `${host} is no address of this machine`;
	return `UDP port ${port} on ${host} cannot be opened: ${error.message}`;
}
