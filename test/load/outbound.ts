import { setTimeout as delay } from "node:timers/promises";
import { Phone } from "@trunkline/phone";
import type { System } from "./systems.ts";

/** Between two calls, so that one's end is not in the other's figure. */
const PAUSE_MS = 50;
const ANSWER_WITHIN_SECONDS = 15;

export interface OutboundResult {
	/** API call → INVITE at the callee's socket, ms */
	invited: number[];
	/** API call with wait_until_answered → its answer, ms */
	answered: number[];
}

/** One call after the other through the API, to a telephone that answers at once. */
export async function measureOutbound(system: System, count: number): Promise<OutboundResult> {
	const phone = await Phone.open({ record: false });
	const result: OutboundResult = { invited: [], answered: [] };
	try {
		let invitedAt = 0;
		phone.onIncoming((call) => {
			invitedAt = performance.now();
			void call.answer().catch(() => call.hangup());
		});
		const trunk = await system.sip.createSipOutboundTrunk("bench out", `127.0.0.1:${phone.port}`, ["+15550100"], { transport: 0 });
		for (let index = 0; index < count; index++) {
			const startedAt = performance.now();
			await system.sip.createSipParticipant(trunk.sipTrunkId, `+1666${String(1_000_000 + index)}`, `bench-out-${index}`, {
				participantIdentity: `callee-${index}`,
				waitUntilAnswered: true,
				timeout: ANSWER_WITHIN_SECONDS,
			});
			result.answered.push(performance.now() - startedAt);
			result.invited.push(invitedAt - startedAt);
			for (const call of phone.calls) call.hangup();
			await delay(PAUSE_MS);
		}
		return result;
	} finally {
		await phone.close();
	}
}
