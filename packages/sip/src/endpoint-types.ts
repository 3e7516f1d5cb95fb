import type { Hashes } from "./auth/hashes.ts";
import type { Millis } from "./machine.ts";
import type { Body, HeaderInput, SipRequest, SipResponse } from "./message/message.ts";
import type { SessionTimerOptions } from "./ua/session-timer.ts";

export type SipTransport = "UDP" | "TCP" | "TLS";

export interface Address {
	/** IP literal, IPv6 without brackets */
	readonly host: string;
	readonly port: number;
	readonly transport: SipTransport;
	/**
	 * The connection that it came by, by the driver's name for it. What goes to this address goes by it while it lives; after that `host` and `port`
	 * are where a new one is opened (RFC 3261 §18.2.2).
	 */
	readonly connection?: string;
	/** UDP is only the default here: a request that is too large for it goes by TCP (RFC 3261 §18.1.1) */
	readonly largeByTcp?: boolean;
	readonly tls?: TlsPeer;
}

/** By what a TLS peer is known, and knows us. Only equal ones may share a connection. */
export interface TlsPeer {
	/** what its certificate has to say, and SNI; unset = the address */
	readonly serverName?: string;
	readonly minVersion?: "TLSv1.2" | "TLSv1.3";
	/** the driver's name for the certificate that we show */
	readonly clientCertificate?: string;
}

/** Do these two IP addresses belong to one carrier or customer? What a trunk's list of addresses says. */
export type SameParty = (peer: string, source: string) => boolean;

/** One INVITE usage (RFC 5057): from the first INVITE to the end of its dialog. Opaque; the caller chooses it for `call`, the endpoint for `incoming`. */
export type LegId = string;

/** "malformed": cannot be parsed; "foreign-dialog": a request for a dialog from an address that has no part in it; "bad-method": never served here */
export type Suspicion = "malformed" | "foreign-dialog" | "bad-method";

/** A request that may be somebody else's. */
export interface Arrival {
	/** "invite": a new one; "stray": of a dialog that is not here; "cancel": of an INVITE that is not here */
	found: "invite" | "stray" | "cancel";
	remote: Address;
	/** where its responses go */
	responseTo: Address;
	/** topmost Via's, "" = none */
	branch: string;
	callId: string;
	fromTag: string;
	toTag: string;
	cseq: number;
}

export interface EndpointOptions {
	/** User-Agent of our requests, Server of our responses */
	userAgent: string;
	/** what others reach us at: sent-by of our Via and our Contact */
	contact: {
		host: string;
		/** UDP and TCP */
		port: number;
		user?: string;
		/** said to peers over TLS; unset = `port` */
		tlsPort?: number;
		/** said to peers with an IPv6 address; unset = `host` */
		host6?: string;
	};
	/** n cryptographically random bytes; must return exactly n */
	random: (n: number) => Uint8Array;
	hashes: Hashes;
	/** Methods beyond INVITE, ACK, CANCEL, BYE and OPTIONS that the driver serves as `in-dialog` events, such as INFO. Others get 405. */
	allow?: readonly string[];
	/** Methods that are served likewise but are not in our Allow: the driver adds a line of its own (`Allow: REFER`) to the calls where they are. */
	unlisted?: readonly string[];
	/** Option tags that the driver understands in Require (RFC 3261 §8.2.2.3); others get 420. None by default. */
	supported?: readonly string[];
	/** RFC 4028, for legs that bring no rules of their own; unset = off. "timer" must be among `supported` for peers that require it. */
	sessionTimer?: SessionTimerOptions;
	/** The endpoint answers OPTIONS with 200 itself; false (default) = `out-of-dialog` event. OPTIONS inside a dialog is always answered here. */
	answerOptions?: boolean;
	/** Told of what only strangers do, for whoever counts it. Unset = nobody. */
	suspect?: (remote: Address, what: Suspicion) => void;
	/** Requests inside a dialog are taken from the peer's address, from its route and Contact, and from where this says. Unset = from nowhere else. */
	sameParty?: SameParty;
	/** put at the end of our tags, so that others can tell whose dialogs they are; the rest of a tag stays random */
	tagSuffix?: string;
	/**
	 * Asked before a new INVITE is taken, and before a request is refused whose dialog or transaction is not here. True = somebody else answers it; the request has
	 * its source in its Via. Unset = nobody else does.
	 */
	handOver?: (request: SipRequest, arrival: Arrival) => boolean;
	/** New INVITEs beyond this many live transactions get 503; other strangers' requests too. Default 20,000. */
	maxTransactions?: number;
	/** RFC 3261 §17.1.1.1: round-trip estimate, 500 */
	t1?: Millis;
	/** longest retransmission interval of non-INVITE requests and of INVITE responses, 4000 */
	t2?: Millis;
	/** longest time a message stays in the network, 5000 */
	t4?: Millis;
}

export interface Party {
	/** SIP URI, no tag, no angle brackets */
	uri: string;
	/** unset or "" = none */
	displayName?: string;
}

/**
 * What the driver feeds in. Commands for a leg or transaction that has ended meanwhile do nothing: the network is always faster.
 * A header that fails `isHeaderName`/`isHeaderValue` or is reserved throws before anything changed: that is a bug of the caller.
 */
export type SipInput =
	| {
			kind: "received";
			bytes: Uint8Array;
			/** where it came from, or first came from when somebody of ours has passed it on */
			remote: Address;
			local?: Address;
			/** whoever passed it on: takes the responses, and has said in its topmost Via where it came from */
			passedOnBy?: Address;
			/** nobody else is asked any more (`handOver`); "silent": what is nobody's here is dropped, as others were asked too */
			last?: "answer" | "silent";
	  }
	/** The socket says that this address cannot be reached (ICMP, closed connection): RFC 3261 §18.4. */
	| { kind: "transport-error"; remote: Address; message: string }
	/** Sends INVITE. Once a 1xx has come nothing limits the ringing: the driver gives up with `cancel`. */
	| {
			kind: "call";
			leg: LegId;
			requestUri: string;
			from: Party;
			to: Party;
			/** where the INVITE is sent: the resolved Request-URI or an outbound proxy */
			target: Address;
			callId?: string;
			localTag?: string;
			/** CSeq number of the INVITE, 1; a higher one when the same call is tried again elsewhere (RFC 3261 §8.1.3.4) */
			cseq?: number;
			headers?: readonly HeaderInput[];
			body?: Body;
			auth?: Credentials;
			/**
			 * The INVITE has no body and asks for an offer (RFC 3261 §13.2.1). When `answered` has it, the command `ack` must bring the answer; when a reliable
			 * 1xx has it, `prack`.
			 */
			delayedOffer?: boolean;
			/** Supported: 100rel and 199: provisional responses are acknowledged by PRACK (RFC 3262) */
			reliable?: boolean;
			sessionTimer?: SessionTimerOptions;
	  }
	/**
	 * status 101..199; may be given again with the same status as a keep-alive. `reliable`: where the peer supports that (RFC 3262); with a peer that
	 * requires it all are.
	 */
	| { kind: "ring"; leg: LegId; status: number; reason?: string; headers?: readonly HeaderInput[]; body?: Body; reliable?: boolean }
	/** ACK with the answer to the offer in the 2xx, of a leg with `delayedOffer` */
	| { kind: "ack"; leg: LegId; body?: Body }
	/** the answer to the offer of a reliable 1xx, whose event named it */
	| { kind: "prack"; leg: LegId; prack: string; headers?: readonly HeaderInput[]; body?: Body }
	/** 200 to the INVITE, or to the re-INVITE named by `transaction`; retransmitted until the ACK */
	| { kind: "accept"; leg: LegId; transaction?: string; headers?: readonly HeaderInput[]; body?: Body; sessionTimer?: SessionTimerOptions }
	/** status 300..699 to the INVITE; `sparing`: sent again once, not ten times, unless the request is repeated: a forged address must not get much for little */
	| { kind: "reject"; leg: LegId; status: number; reason?: string; headers?: readonly HeaderInput[]; body?: Body; sparing?: boolean }
	/** Before the final response. Waits for a provisional one (RFC 3261 §9.1); a 200 that races is ACKed and BYEd. Ends in `failed`, cause "cancelled". */
	| {
			kind: "cancel";
			leg: LegId;
			headers?: readonly HeaderInput[];
			/** an INVITE that has no answer at all is not sent again, as another target is tried; what still comes is cancelled as usual */
			abandon?: boolean;
	  }
	/** On an answered leg; waits for the ACK of our 200 (RFC 3261 §15). Before the answer: cancels (caller) or rejects with 480 (callee). */
	| { kind: "bye"; leg: LegId; headers?: readonly HeaderInput[] }
	/**
	 * A request inside the dialog; `transaction` is the caller's own name for it, given back in `in-dialog-response`. `dialog`: remote tag of one of
	 * several early dialogs; the oldest when unset.
	 */
	| { kind: "request"; leg: LegId; transaction: string; method: string; dialog?: string; headers?: readonly HeaderInput[]; body?: Body }
	/** Answer to `in-dialog`, `reinvite` or `out-of-dialog`. Unanswered for 64*T1 (not INVITE), the transaction is dropped. */
	| { kind: "respond"; transaction: string; status: number; reason?: string; headers?: readonly HeaderInput[]; body?: Body }
	/** Begins a registration and keeps it up; after `due` it goes on at this target. Options count the first time. */
	| { kind: "register"; registration: string; target: Address; options: RegisterOptions }
	| { kind: "unregister"; registration: string };

export interface RegisterOptions {
	/** Request-URI: the registrar's domain, without a user (RFC 3261 §10.2) */
	registrar: string;
	/** address of record: From and To */
	aor: string;
	/** user part of our Contact: what the Request-URI of calls will have */
	user: string;
	/** asked for; the registrar decides */
	expiresSeconds: number;
	auth?: Credentials;
}

/** What becomes of a `register`. Times are on the driver's clock. */
export type RegistrationEvent =
	| { state: "registered"; contact: string; until: Millis }
	/** `until`: a binding from before may still hold; `retryAt`: `due` comes then */
	| {
			state: "failed";
			cause: "status" | "timeout" | "transport" | "auth";
			status?: number;
			message: string;
			until: Millis;
			retryAt: Millis;
	  }
	/** time to try again: resolve the registrar anew, then `register` */
	| { state: "due" }
	/** last one: the binding is gone, or given up */
	| { state: "unregistered" };

export interface Credentials {
	username: string;
	password: string;
}

export type SipOutput = { kind: "transmit"; bytes: Uint8Array; to: Address } | { kind: "event"; event: SipEvent };

/** Why an INVITE of ours got nowhere. "auth": challenged, and no (or refused) credentials. */
export type FailureCause = "status" | "timeout" | "transport" | "auth" | "cancelled";

/** Why a leg ended after its answer. "bye": in good order; "timeout"/"transport"/"error": our BYE was not answered with 2xx; "ack-timeout"; "gone": the peer answered 481 or nothing to a request of ours; "session-expired": nobody refreshed the session in time (RFC 4028 §10). */
export type EndCause = "bye" | "timeout" | "transport" | "error" | "ack-timeout" | "gone" | "session-expired";

export type SipEvent =
	/** 100 Trying has been sent. Answer with ring / accept / reject. */
	| { type: "incoming"; leg: LegId; request: SipRequest; remote: Address; localTag: string }
	/** 1xx to our INVITE, 100 too. `prack`: it has an offer, to be answered with the command of that name. A 199 ended its early dialog (RFC 6228). */
	| { type: "provisional"; leg: LegId; response: SipResponse; reliable: boolean; prack?: string }
	/** 2xx to our INVITE; the ACK has been sent, and is again for each retransmission */
	| { type: "answered"; leg: LegId; response: SipResponse }
	/** Last event of an unanswered leg of ours. `provisionals` counts 1xx responses: 0 and "timeout" means that nobody is there. */
	| { type: "failed"; leg: LegId; status?: number; response?: SipResponse; cause: FailureCause; provisionals: number; message: string }
	/** Last event of an incoming leg: CANCEL (200 and 487 sent), its Expires ran out, or a BYE before our answer. With a cause: no PRACK came (504 sent). */
	| { type: "cancelled"; leg: LegId; request: SipRequest; cause?: "prack-timeout" }
	/** A reliable 1xx of ours has come. With SDP: the answer to its offer, or, when `transaction` is set, a new offer to be answered with `respond`. */
	| { type: "pracked"; leg: LegId; request: SipRequest; transaction?: string }
	/** UPDATE (RFC 3311), with an offer or without one; `dialog` is the remote tag */
	| { type: "update"; leg: LegId; transaction: string; request: SipRequest; dialog: string }
	/** The ACK of our 200. With SDP in it when the INVITE had none. */
	| { type: "acked"; leg: LegId; request: SipRequest }
	/** 64*T1 without ACK; the endpoint sends BYE itself, `ended` follows. */
	| { type: "ack-timeout"; leg: LegId }
	/** Last event of an answered leg: remote BYE (200 sent), or our BYE finished or given up. */
	| { type: "ended"; leg: LegId; by: "remote" | "local"; request?: SipRequest; cause: EndCause }
	| { type: "reinvite"; leg: LegId; transaction: string; request: SipRequest }
	/** 2xx to a refresh that the endpoint sent by itself (RFC 4028); one to INVITE has the peer's SDP, which may have changed */
	| { type: "refreshed"; leg: LegId; response: SipResponse }
	| { type: "in-dialog"; leg: LegId; transaction: string; request: SipRequest }
	/** Provisional responses are not reported. No response: `cause`. */
	| {
			type: "in-dialog-response";
			leg: LegId;
			transaction: string;
			response?: SipResponse;
			/** "glare": an INVITE of either side is in progress; nothing was sent */
			cause?: "timeout" | "transport" | "auth" | "ended" | "glare";
			/** ms to wait before the INVITE is tried again: it met one of the peer (RFC 3261 §14.1) */
			retryAfter?: Millis;
	  }
	| ({ type: "registration"; registration: string } & RegistrationEvent)
	| { type: "out-of-dialog"; transaction: string; request: SipRequest; remote: Address };

export interface EndpointStats {
	/** live transactions, client and server */
	transactions: number;
	/** early and confirmed */
	dialogs: number;
	legs: number;
	/** requests that wait for `respond` */
	unanswered: number;
	timers: number;
}
