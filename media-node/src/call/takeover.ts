import { effectiveSettings } from "@trunkline/domain";
import type { Replaces } from "@trunkline/sip";
import type { CallDeps, Referrer } from "./call-deps.ts";
import type { LocalDescription } from "./local-description.ts";
import type { InboundInvite, MediaSession, ReplaceableCall, SipLeg, SipLegEvent } from "./ports.ts";
import type { RecordWriter } from "./record-writer.ts";
import { type DialogName, isSameDialog } from "./replaceable.ts";

export interface TakenOver {
	callId: string;
	deps: CallDeps;
	local: LocalDescription;
	records: RecordWriter;
	media(): MediaSession | undefined;
	referrer(): Referrer;
	projectId(): string;
	isActive(): boolean;
	/** of the leg that the call began with */
	dialog(): DialogName | undefined;
	/** Another leg takes the place of the telephone's; gives the one before. */
	changeLeg(leg: SipLeg, peerAddress: string): SipLeg | undefined;
	setAttributes(attributes: Record<string, string>): void;
	onLeg(event: SipLegEvent): void;
}

/** The telephone leg of a call and those that take its place (RFC 3891). The room knows nothing of it: participant and audio stay. */
export class TakeOver {
	readonly #call: TakenOver;
	#latest: DialogName | undefined;

	constructor(call: TakenOver) {
		this.#call = call;
	}

	/** The leg that the call began with has been replaced: what still comes from it matters to nobody. */
	get done(): boolean {
		return this.#latest !== undefined;
	}

	/** undefined: the Replaces is about another dialog */
	replaceable(replaces: Replaces): ReplaceableCall | undefined {
		const { callId, dialog, referrer, projectId, isActive } = this.#call;
		if (!isSameDialog(this.#latest ?? dialog(), replaces)) return undefined;
		const { ownNumber, settings } = referrer();
		return {
			...{ callId, projectId: projectId(), ownNumber },
			allowed: effectiveSettings(settings).transfer.replaces,
			confirmed: isActive(),
			takeOver: (invite, leg) => this.#takeOver(invite, leg),
		};
	}

	#takeOver(invite: InboundInvite, leg: SipLeg): (event: SipLegEvent) => void {
		const { local, records, deps, media, changeLeg, setAttributes } = this.#call;
		const session = media();
		const answer = session === undefined || invite.sdp === undefined ? undefined : local.answer(invite.sdp, session);
		// The call stays as it was: RFC 3891 §3 replaces a dialog only when the new INVITE is accepted.
		if (session === undefined || answer === undefined || !answer.ok) {
			leg.reject(488, "Not Acceptable Here");
			return () => {};
		}
		const { sipCallId, localTag, remoteTag } = invite;
		this.#latest = { callId: sipCallId, localTag, remoteTag };
		session.start(answer.negotiated, invite.source.address, true);
		leg.accept(answer.sdp);
		// §3: "The UA … MUST … shut down the replaced user agent core state and early dialog / send a BYE on the replaced dialog."
		changeLeg(leg, invite.source.address)?.bye();
		setAttributes({ "sip.callIDFull": sipCallId, "sip.callTag": remoteTag });
		records.transition(["active"], "active", deps.clock.now(), "replaced", sipCallId, { sipCallId });
		return (event) => {
			if (this.#latest?.localTag === localTag) this.#call.onLeg(event);
		};
	}
}
