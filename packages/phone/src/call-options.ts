import type { SessionTimerOptions } from "@trunkline/sip";
import type { AudioCodec } from "@trunkline/sdp";
import type { HeaderInput } from "@trunkline/sip";
import type { PhoneSrtp } from "./encryption.ts";

export interface CallOptions {
	/** a number, or a whole SIP URI; default the phone's user name */
	from?: string;
	displayName?: string;
	headers?: readonly HeaderInput[];
	codecs?: readonly AudioCodec[];
	srtp?: PhoneSrtp;
	/** false: the offer has no telephone-event (RFC 4733), as that of an old telephone whose digits are tones */
	telephoneEvent?: boolean;
	/** no SDP in the INVITE: the far side offers, and the ACK has our answer (RFC 3261 §13.2.1) */
	delayedOffer?: boolean;
	/** takes reliable provisional responses, with PRACK (RFC 3262) */
	reliable?: boolean;
	/** the call is taken back when it is not answered by then */
	timeoutMs?: number;
	/** "host:port" or a SIP URI: where the INVITE is sent instead of where the URI leads to */
	proxy?: string;
	username?: string;
	password?: string;
	/** RFC 4028; unset = not spoken of */
	sessionTimer?: SessionTimerOptions;
}
