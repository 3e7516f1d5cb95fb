import { callDetailsSchema, callPageSchema } from "@trunkline/contracts";
import type { OutgoingCall } from "@trunkline/phone";
import { AccessToken } from "livekit-server-sdk";
import { expect } from "vitest";
import type { Participant } from "./participant.ts";
import { type Testbed, until } from "./testbed.ts";
import { settle } from "./tones.ts";

const IDENTITY = "sip_+15559999";
let next = 15_550_700;

export async function api(bed: Testbed, path: string, init: RequestInit = {}): Promise<unknown> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret, { ttl: 60 });
	token.addSIPGrant({ admin: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const response = await fetch(`${bed.local.url}${path}`, { ...init, headers });
	const body: unknown = await response.json();
	if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
	return body;
}

export async function callIn(bed: Testbed, room: string) {
	const { calls } = callPageSchema.parse(await api(bed, `/v1/calls?room=${room}&state=live`));
	return callDetailsSchema.parse(await api(bed, `/v1/calls/${calls[0]?.id}`));
}

/** What the record says of noise suppression. */
export const told = async (bed: Testbed, room: string): Promise<unknown[]> =>
	(await callIn(bed, room)).timeline.filter(({ event }) => event.startsWith("noise")).map(({ event, detail }) => [event, detail]);

/** A telephone in a street (steady noise of all frequencies, about -20 dBov), and an agent who hears it and says 1 kHz. */
export async function noisyCall(bed: Testbed, krispEnabled: boolean): Promise<{ room: string; agent: Participant; call: OutgoingCall }> {
	const number = `+${++next}`;
	const room = `noise-${next}`;
	const trunk = await bed.sip.createSipInboundTrunk(`trunk ${number}`, [number], { krispEnabled });
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: room, pin: "" }, { trunkIds: [trunk.sipTrunkId] });
	const agent = await bed.participant(room, "agent");
	await agent.speak(1_000);
	const phone = await bed.phone({ username: "+15559999" });
	const call = await phone.call(bed.uri(number), { timeoutMs: 10_000 });
	call.play(street(2_000), { loop: true });
	await call.answered();
	await until(async () => (await callIn(bed, room)).state === "active", "the call to be active");
	return { room, agent, call };
}

/** How loud the telephone is in the room, dBov. */
export async function loudness(agent: Participant): Promise<number> {
	await settle(900);
	agent.take(IDENTITY);
	await settle(900);
	const heard = agent.take(IDENTITY);
	expect(heard.length, "something was heard").toBeGreaterThan(20_000);
	return 10 * Math.log10(heard.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 1e-12) / heard.length);
}

function street(ms: number): Int16Array {
	let state = 5;
	return Int16Array.from({ length: 8 * ms }, () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return (state / 2 ** 32 - 0.5) * 11_000;
	});
}
