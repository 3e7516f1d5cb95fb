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
	/** the call is taken back when it is not answered by then */
	timeoutMs?: number;
	/** "host:port" or a SIP URI: where the INVITE is sent instead of where the URI leads to */
	proxy?: string;
	username?: string;
	password?: string;
}
