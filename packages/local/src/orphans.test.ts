import { newProject } from "@trunkline/domain";
import { callRecord, MemoryCallStore, MemoryProjectStore } from "@trunkline/testkit";
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { endOrphansOfAll } from "./orphans.ts";

const START = 1_700_000_000_000;

it("ends every call that a killed process left, and no other", async () => {
	const store = new MemoryCallStore({ now: () => START });
	for (let i = 0; i < 150; i++)
		await store.createCall(
			callRecord({ createdAt: START, callId: `SCL_live${i}`, projectId: "default", state: i % 2 === 0 ? "received" : "queued" }),
		);
	await store.createCall(callRecord({ createdAt: START, callId: "SCL_over", projectId: "default", state: "received" }));
	await store.endCall("SCL_over", START + 5, { by: "peer", reason: "hangup" });
	await store.createCall(callRecord({ createdAt: START, callId: "SCL_other", projectId: "other", state: "received" }));

	expect(await endOrphansOfAll(store, "default", undefined, START + 1_000), "ended").toBe(150);
	expect(await store.getCall("SCL_live149")).toMatchObject({
		state: "ended",
		endedAt: START + 1_000,
		end: { by: "node", reason: "internal-error" },
	});
	expect(await store.getCall("SCL_over")).toMatchObject({ end: { by: "peer" } });
	expect(await store.getCall("SCL_other")).toMatchObject({ state: "received" });
	expect(await endOrphansOfAll(store, "default", undefined, START + 2_000)).toBe(0);
});

it("also those of projects that were made since, on every page of them", async () => {
	const store = new MemoryCallStore({ now: () => START });
	const projects = new MemoryProjectStore();
	for (let i = 0; i < 201; i++) {
		const { project } = newProject({ name: "", sharedRooms: true, policy: {} }, { now: START, random: randomBytes });
		await projects.createProject(project);
		const callId = `SCL_${project.projectId.slice(2)}`;
		await store.createCall(callRecord({ createdAt: START, callId, projectId: project.projectId, state: "active" }));
	}
	expect(await endOrphansOfAll(store, "default", projects, START + 1_000)).toBe(201);
});
