import type { OutgoingCall } from "../outgoing-call.ts";
import type { Phone } from "../phone.ts";
import type { Sound } from "./conversation.ts";
import type { CliOptions } from "./options.ts";
import { complain, say } from "./terminal.ts";
import { failureWords } from "./words.ts";

/**
 * Follows transfers, or declines them with --no-refer. `over` resolves when every call that came of one is over; it hangs them up when `stopped`
 * resolves.
 */
export function followReferrals(phone: Phone, options: CliOptions, sound: Sound): { over(stopped: Promise<void>): Promise<void> } {
	const calls: OutgoingCall[] = [];
	const { proxy, from, timeoutMs } = options;
	phone.onReferral((referral) => {
		if (!options.refer) {
			referral.reject();
			return say(`declined to call ${referral.target} instead`);
		}
		say(`asked to call ${referral.target} instead`);
		const onCall = (call: OutgoingCall): void => {
			calls.push(call);
			call.setSource(sound.source());
			call.on("provisional", ({ status, reason }) => say(`${status} ${reason}`));
			call.once("answered", () => say("answered: the first call is hung up"));
			call.once("ended", (end) => say(end.answered ? "the call after the transfer is over" : `not answered: ${failureWords(end)}`));
		};
		referral
			.follow({ onCall, timeoutMs, ...(proxy !== undefined && { proxy }), ...(from !== undefined && { from }) })
			.catch((error: unknown) => complain(error instanceof Error ? error.message : String(error)));
	});
	return {
		over: async (stopped) => {
			void stopped.then(() => {
				for (const call of calls) call.hangup();
			});
			// The first call is hung up when one of these is answered, so whoever waits for that one finds them here.
			for (const call of calls.filter(({ state }) => state === "answered")) await Promise.race([call.ended(), stopped]);
		},
	};
}
