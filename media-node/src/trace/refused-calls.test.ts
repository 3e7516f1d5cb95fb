import { MemoryCallStore, MemoryConfigStore, captureLogs, dispatchRule, inboundTrunk } from "@trunkline/testkit";
import { expect, it } from "vitest";
import type { InboundInvite } from "../call/ports.ts";
import { RefusedCalls } from "./refused-calls.ts";

const NOW = 1_700_000_000_000;
const invite = (to: string): InboundInvite =>
	({ from: { user: "+15551111" }, to: { user: to }, source: { address: "198.51.100.7" }, sipCallId: "c" }) as unknown as InboundInvite;

async function refusing() {
	const calls = new MemoryCallStore({ now: () => NOW });
	const configStore = new MemoryConfigStore();
	await configStore.createTrunk("p", inboundTrunk({ trunkId: "ST_here", numbers: ["+1001"] }));
	await configStore.createTrunk("p", inboundTrunk({ trunkId: "ST_away", numbers: ["+1002"], settings: { regions: ["elsewhere"] } }));
	await configStore.createTrunk("p", inboundTrunk({ trunkId: "ST_rule", numbers: ["+1003"] }));
	await configStore.createRule("p", dispatchRule({ ruleId: "SDR_away", trunkIds: ["ST_rule"], settings: { regions: ["elsewhere"] } }));
	let now = NOW;
	const refused = new RefusedCalls({
		calls,
		configStore,
		projectFor: async () => "p",
		nodeId: "ND_1",
		region: "here",
		now: () => now,
		random: (length) => Uint8Array.from({ length }, () => Math.floor(Math.random() * 256)),
		log: captureLogs(),
	});
	const records = async () => {
		await new Promise((resolve) => setTimeout(resolve, 20));
		return (await calls.findCalls("p", { limit: 100 })).calls;
	};
	return { refused, records, pass: (ms: number) => (now += ms) };
}

it("an INVITE that a full node turns away has a record that says why", async () => {
	const { refused, records } = await refusing();
	refused.refused(invite("+1001"), { status: 503, reason: "At Capacity" });
	const [record] = await records();
	expect(record).toMatchObject({
		projectId: "p",
		state: "ended",
		to: "+1001",
		sipCallId: "c",
		end: { by: "node", reason: "rejected", sipStatus: 503, sipReason: "At Capacity", message: "the media node is at its limit of calls" },
	});
});

it("a call that no trunk has, or whose trunk or rule is pinned to another region, leaves nothing here", async () => {
	const { refused, records } = await refusing();
	for (const number of ["+1002", "+1003", "+1004"]) refused.refused(invite(number), { status: 503, reason: "At Capacity" });
	expect(await records()).toEqual([]);
});

it("a flood has twenty records, and two more each second", async () => {
	const { refused, records, pass } = await refusing();
	for (let i = 0; i < 200; i++) refused.refused(invite("+1001"), { status: 503, reason: "At Capacity" });
	expect(await records()).toHaveLength(20);
	pass(1_000);
	for (let i = 0; i < 200; i++) refused.refused(invite("+1001"), { status: 503, reason: "At Capacity" });
	expect(await records()).toHaveLength(22);
});
