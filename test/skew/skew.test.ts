// One version each way: what earlier versions stored, sent and said is understood; what a later one adds is left in peace. docs/skew.md has the rules.
import { UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CallRecord } from "@trunkline/contracts";
import { callEvents, errorForCallEnd, isLive } from "@trunkline/domain";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Cloud, type Items, keyOf, putItems, startCloud, storedItems, type StoredItem } from "./cloud.ts";
import { type Exchange, PROJECT, readAll, record, RECORDED_AT, type Recording, speak, steady } from "./scenario.ts";

const FIXTURES = join(import.meta.dirname, "fixtures");
const VERSIONS = readdirSync(FIXTURES).sort();
const LATEST = VERSIONS.at(-1) ?? "";

function recorded(version: string): Recording {
	const part = (name: string): unknown => JSON.parse(readFileSync(join(FIXTURES, version, `${name}.json`), "utf8"));
	return Object.fromEntries(["items", "messages", "read", "events", "exchanges"].map((name) => [name, part(name)])) as unknown as Recording;
}

let cloud: Cloud;
let now = RECORDED_AT;
beforeEach(async () => {
	now = RECORDED_AT;
	cloud = await startCloud(() => now);
});
afterEach(() => cloud.close());

const idOf = ({ items }: Recording, prefix: string, partition: RegExp): string =>
	items.config.find(({ pk, sk }) => partition.test(pk?.S ?? "") && sk?.S?.startsWith(prefix) === true)?.sk?.S ?? "";

describe.each(VERSIONS)("what %s left", (version) => {
	const old = recorded(version);
	beforeEach(() => putItems(cloud.client, old.items));

	it("is read with the same meaning", async () => {
		expect(await readAll(cloud, old.items)).toMatchObject(old.read as object);
	});

	it("is worked on: calls are claimed, go on and end; transfers are taken and settled; events go out", async () => {
		now += 1_000;
		expect(await cloud.calls.claimCall("SCL_waiting", "ND_2", now, now + 30_000)).toMatchObject({
			state: "claimed",
			request: { authPassword: "a password" },
		});
		expect(await cloud.calls.endCall("SCL_active", now, { by: "room", reason: "hangup" })).toMatchObject({
			state: "ended",
			sipCallId: "x@y",
		});
		expect(await cloud.transfers.takeTransfer("STR_requested")).toMatchObject({
			state: "ongoing",
			command: { transferTo: "tel:+15550199" },
		});
		expect(await cloud.transfers.settleTransfer("STR_requested", ["ongoing"], { status: "successful", reason: "unspecified" })).toBe(true);
		expect(await cloud.nodes.claimDead("ND_3", "ND_1", now)).toBe(true);
		const claimed = await cloud.outbox.claimEvents("SCL_active", now, now + 1_000);
		expect(claimed).toMatchObject({ deliveries: { "event-bus": { delivered: 1, attempts: 2 } } });
	});

	it("is changed by the API", async () => {
		const [inbound, outbound] = [idOf(old, "ST_", /#inbound-trunk$/), idOf(old, "ST_", /#outbound-trunk$/)];
		const change = (name: string, body: object) => ({ method: "POST", path: `/twirp/livekit.SIP/${name}`, body });
		const exchanges = await speak(cloud, [
			change("UpdateSIPInboundTrunk", { sip_trunk_id: inbound, update: { name: "again" } }),
			{ method: "PUT", path: `/v1/trunks/${outbound}/settings`, body: { provider: "twilio" } },
			change("DeleteSIPTrunk", { sip_trunk_id: outbound }),
		]);
		expect(exchanges.map(({ status }) => status)).toEqual([200, 200, 200]);
		expect(exchanges[0]?.answer).toMatchObject({ name: "again", metadata: "m" });
	});

	it("in queues is taken", async () => {
		for (const body of old.messages.dial) await cloud.put("dial", body);
		for (const body of old.messages.commands) await cloud.put("commands", body);
		const messages = [...(await cloud.dialQueue.receive(10, 1_000)), ...(await cloud.commandQueue.receive(10, 1_000))].map(
			({ message }) => message,
		);
		const bodies = [...old.messages.dial, ...old.messages.commands].map((body) => JSON.parse(body) as object);
		expect(messages).toEqual(expect.arrayContaining(bodies.map((body) => expect.objectContaining(body) as object)));
		expect(messages).toHaveLength(bodies.length);
		expect(await cloud.bodies("dead")).toEqual([]);
	});

	describe("and what a newer version added to it", () => {
		const FUTURE = { M: { nested: { L: [{ S: "new" }] } } };
		const withFuture = (item: StoredItem): StoredItem => ({
			...item,
			futureField: FUTURE,
			// What trunks and rules are is one attribute.
			...(item["body"]?.M === undefined ? {} : { body: { M: { ...item["body"].M, futureField: FUTURE } } }),
		});
		const added: Items = { config: old.items.config.map(withFuture), calls: old.items.calls.map(withFuture) };
		beforeEach(() => putItems(cloud.client, added));
		const stored = async (table: keyof Items, key: RegExp): Promise<StoredItem> => {
			const found = (await storedItems(cloud.client))[table].find((item) => key.test(keyOf(item)));
			if (found === undefined) throw new Error(`there is no ${key.source}`);
			return found;
		};

		it("is no hindrance", async () => {
			expect(await readAll(cloud, old.items)).toMatchObject(old.read as object);
		});

		it("survives this version's writes", async () => {
			now += 1_000;
			await cloud.calls.claimCall("SCL_waiting", "ND_2", now, now + 30_000);
			await cloud.calls.endCall("SCL_active", now, { by: "room", reason: "hangup" });
			await cloud.transfers.takeTransfer("STR_requested");
			await cloud.nodes.claimDead("ND_3", "ND_1", now);
			await cloud.owners.change("+15550100", async (owners) => [...owners]);
			const claimed = await cloud.outbox.claimEvents("SCL_ended", now, now + 1_000);
			if (claimed === undefined) throw new Error("nothing to deliver");
			await cloud.outbox.settleEvents(claimed, {}, undefined);
			for (const key of [/^call#SCL_waiting /, /^call#SCL_active /, /^call#SCL_ended /, /^transfer#STR_requested /, / ND_3$/])
				expect((await stored("calls", key))["futureField"], key.source).toEqual(FUTURE);
			expect((await stored("config", /^number-owners#/))["futureField"]).toEqual(FUTURE);

			const inbound = idOf(old, "ST_", /#inbound-trunk$/);
			const outbound = idOf(old, "ST_", /#outbound-trunk$/);
			const rule = idOf(old, "SDR_", /#rule$/);
			const update = { name: "again" };
			const exchanges = await speak(cloud, [
				{ method: "POST", path: "/twirp/livekit.SIP/UpdateSIPInboundTrunk", body: { sip_trunk_id: inbound, update } },
				{ method: "POST", path: "/twirp/livekit.SIP/UpdateSIPDispatchRule", body: { sip_dispatch_rule_id: rule, update } },
				{ method: "PUT", path: `/v1/trunks/${outbound}/settings`, body: { provider: "twilio" } },
			]);
			expect(exchanges.map(({ status }) => status)).toEqual([200, 200, 200]);
			expect(JSON.stringify(exchanges)).not.toContain("futureField");
			for (const key of [/#inbound-trunk ST_/, /#outbound-trunk ST_/, /#rule SDR_/])
				expect((await stored("config", key))["body"]?.M?.["futureField"], key.source).toEqual(FUTURE);
		});
	});

	it("and said: the same requests have the same answers, with more in them at most", async () => {
		// In tables of their own: the requests make what is there already.
		const fresh = await startCloud(() => RECORDED_AT);
		try {
			const today = await record(fresh);
			const answers = (recording: Recording) =>
				recording.exchanges.map(({ request, status, answer }: Exchange) => ({ path: request.path, status, answer: steady(answer) }));
			for (const [i, expected] of answers(old).entries()) expect(answers(today)[i], expected.path).toMatchObject(expected);
			// Receivers of events and readers of messages, of that version still.
			expect(steady(today.events)).toMatchObject(steady(old.events) as unknown[]);
			const parsed = ({ messages }: Recording) => [...messages.dial, ...messages.commands].map((body) => JSON.parse(body) as unknown);
			expect(new Set(parsed(today).map((one) => JSON.stringify(one)))).toEqual(new Set(parsed(old).map((one) => JSON.stringify(one))));
			// Items as that version reads them.
			for (const table of ["config", "calls"] as const) {
				const names = (items: Items): string[][] =>
					items[table].map((item) =>
						Object.keys(item)
							.filter((name) => !PASSING.has(name))
							.sort(),
					);
				for (const [i, expected] of names(old.items).entries()) expect(names(today.items)[i]).toEqual(expect.arrayContaining(expected));
			}
		} finally {
			await fresh.close();
		}
	});
});

/** Marks of a write, not of what was written. */
const PASSING = new Set(["stamp", "writeId"]);

describe("what only a newer version knows", () => {
	it.each([
		["another version of a dial", { version: 2 }, "version: invalid_value"],
		["another type", { type: "dial-conference" }, "type: invalid_value"],
	])("%s is not lost: it lies with the dead letters, with the reason, and those after it are taken", async (_, change, reason) => {
		const [good = ""] = recorded(LATEST).messages.dial;
		const newer = JSON.stringify({ ...(JSON.parse(good) as object), ...change });
		await cloud.put("dial", newer);
		await cloud.put("dial", good);
		const received: unknown[] = [];
		for (let i = 0; i < 5 && received.length === 0; i++)
			received.push(...(await cloud.dialQueue.receive(10, 1_000)).map(({ message }) => message));
		expect(received).toEqual([JSON.parse(good)]);
		expect(await cloud.bodies("dead")).toEqual([{ body: newer, reason }]);
	});

	it("a field of a message is no hindrance", async () => {
		const [good = ""] = recorded(LATEST).messages.dial;
		await cloud.put("dial", JSON.stringify({ ...(JSON.parse(good) as object), futureField: 1 }));
		expect((await cloud.dialQueue.receive(10, 1_000)).map(({ message }) => message)).toEqual([JSON.parse(good)]);
	});

	describe("on a call's record", () => {
		const set = async (name: string, value: string): Promise<void> => {
			const update = {
				UpdateExpression: "SET #name = :value",
				ExpressionAttributeNames: { "#name": name },
				ExpressionAttributeValues: { ":value": { S: value } },
			};
			await cloud.client.send(
				new UpdateItemCommand({ TableName: "calls", Key: { pk: { S: "call#SCL_waiting" }, sk: { S: "call" } }, ...update }),
			);
		};
		beforeEach(() => putItems(cloud.client, recorded(LATEST).items));

		it("a state is neither dialled nor taken for an end, and can be ended", async () => {
			await set("state", "parked");
			expect(isLive("parked" as CallRecord["state"])).toBe(true);
			expect((await cloud.calls.liveCallsInRoom(PROJECT, "lobby")).map(({ callId }) => callId)).toContain("SCL_waiting");
			expect(await cloud.calls.claimCall("SCL_waiting", "ND_2", now, now + 1)).toBeUndefined();
			const [exchange] = await speak(cloud, [{ method: "GET", path: "/v1/calls/SCL_waiting" }]);
			expect(exchange).toMatchObject({ status: 200, answer: { state: "parked" } });
			expect(await cloud.calls.endCall("SCL_waiting", now, { by: "node", reason: "peer-gone" })).toMatchObject({ state: "ended" });
		});

		it("a reason is told as it is, and is an error like any end", async () => {
			await cloud.calls.endCall("SCL_waiting", now, { by: "peer", reason: "eclipse" as "hangup" });
			const [exchange] = await speak(cloud, [{ method: "GET", path: "/v1/calls/SCL_waiting" }]);
			expect(exchange).toMatchObject({ status: 200, answer: { end: { reason: "eclipse" } } });
			expect(errorForCallEnd({ by: "peer", reason: "eclipse" as "hangup" }, true).code).toMatch(/^[a-z_]+$/);
		});

		it("an entry of the timeline is no event, and moves no other", async () => {
			const call = await cloud.calls.getCall("SCL_ended");
			if (call === undefined) throw new Error("no call");
			const before = callEvents(call, 0);
			expect(callEvents({ ...call, timeline: [...call.timeline, { at: now, event: "teleported" }] }, 0)).toEqual(before);
		});
	});

	it("in a trunk is kept, and told as far as LiveKit's protocol can", async () => {
		const old = recorded(LATEST);
		const newer = (item: StoredItem): StoredItem =>
			item["body"]?.M?.["transport"] === undefined ? item : { ...item, body: { M: { ...item["body"].M, transport: { S: "QUIC" } } } };
		await putItems(cloud.client, { ...old.items, config: old.items.config.map(newer) });
		const id = idOf(old, "ST_", /#outbound-trunk$/);
		const [read, update] = await speak(cloud, [
			{ method: "POST", path: "/twirp/livekit.SIP/GetSIPOutboundTrunk", body: { sip_trunk_id: id } },
			{ method: "POST", path: "/twirp/livekit.SIP/UpdateSIPOutboundTrunk", body: { sip_trunk_id: id, update: { name: "again" } } },
		]);
		expect(read).toMatchObject({ status: 200, answer: { trunk: { sip_trunk_id: id } } });
		// What it cannot judge it does not write.
		if (update?.status === 200) expect((await cloud.config.getTrunk(PROJECT, id)) as unknown).toMatchObject({ transport: "QUIC" });
		else expect(update?.status).toBe(400);
	});

	it("an event that a webhook asks for is nothing this version has", async () => {
		await cloud.webhooks.putWebhooks(PROJECT, {
			webhooks: [{ url: "https://example.com/", events: ["call.ended", "call.parked" as "call.ended"] }],
		});
		expect(await cloud.webhooks.getWebhooks(PROJECT)).toEqual({ webhooks: [{ url: "https://example.com/", events: ["call.ended"] }] });
	});
});
