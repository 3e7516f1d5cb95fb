import type { EndCause, FailureCause } from "@trunkline/sip";

export interface CallEnd {
	/** whether the call had been answered */
	answered: boolean;
	/** who ended it; of a call that failed, "remote" when the far side said so */
	by: "local" | "remote";
	/** "no-answer": `timeoutMs` ran out; "media": no common codec, or SDP that cannot be used */
	cause: FailureCause | EndCause | "rejected" | "no-answer" | "media" | "closed";
	/** SIP status of a call that was not answered, when there was one */
	status?: number;
	/** reason phrase or a sentence */
	reason: string;
}
