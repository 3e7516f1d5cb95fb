import { startEmbeddedDynamo } from "@trunkline/emulators";
import { createDynamoClient, createTables, DynamoConfigStore } from "@trunkline/store";
import { expect, onTestFinished, test } from "vitest";
import { isDemoThere, seed } from "./seed.ts";

async function emptyStore(): Promise<DynamoConfigStore> {
	const dynamo = await startEmbeddedDynamo();
	const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	onTestFinished(async () => {
		client.destroy();
		await dynamo.close();
	});
	await createTables(client, { config: "config", calls: "calls" });
	return new DynamoConfigStore({ client, table: "config" });
}

test("an empty project gets the trunk and the rule, once", async () => {
	const store = await emptyStore();
	expect(await isDemoThere(store, "p")).toBe(false);
	expect(await seed(store, "p", 1)).toBe(true);
	expect(await isDemoThere(store, "p")).toBe(true);
	expect(await seed(store, "p", 2)).toBe(false);
	expect(await store.inboundTrunksFor("p", "+15550100")).toHaveLength(1);
});

test("a first start that was cut off between the two is completed", async () => {
	const store = await emptyStore();
	await seed(store, "p", 1);
	const [rule] = await store.listRules("p", {});
	await store.deleteRule("p", rule?.ruleId ?? "");
	expect(await isDemoThere(store, "p")).toBe(false);
	expect(await seed(store, "p", 2)).toBe(true);
	expect(await isDemoThere(store, "p")).toBe(true);
});

test("a project that has something of its own gets nothing", async () => {
	const store = await emptyStore();
	await seed(store, "other", 1);
	const [trunk] = await store.listInboundTrunks("other", {});
	if (trunk === undefined) throw new Error("no trunk");
	await store.createTrunk("p", { ...trunk, trunkId: "ST_mine", numbers: ["+15550123"] });
	expect(await seed(store, "p", 2)).toBe(false);
	expect(await store.listRules("p", {})).toEqual([]);
});
