// Projects beside the default one, as `npm start` keeps them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessToken, SipClient } from "livekit-server-sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Testbed, until } from "./testbed.ts";

const ADMIN_SECRET = "an admin secret for tests";

let dataDir: string;
let bed: Testbed;
beforeEach(async () => {
	dataDir = mkdtempSync(join(tmpdir(), "trunkline-projects-"));
	bed = await start();
});
afterEach(async () => {
	await bed.close();
	rmSync(dataDir, { recursive: true, force: true });
});

const start = () => Testbed.start({ TRUNKLINE_ADMIN_SECRET: ADMIN_SECRET, DATA_DIR: dataDir });

interface Created {
	projectId: string;
	apiKey: { key: string; secret: string };
}

async function admin(method: string, path = "", body: object = {}): Promise<Created> {
	const response = await fetch(`${bed.local.url}/v1/projects${path}`, {
		method,
		headers: { authorization: `Bearer ${ADMIN_SECRET}` },
		body: JSON.stringify(body),
	});
	expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true);
	return (await response.json()) as Created;
}

const clientOf = ({ apiKey }: Created): SipClient => new SipClient(bed.local.url, apiKey.key, apiKey.secret);

test("each project has its trunks, LiveKit's SDK works with its key, and all of it is there after a restart", async () => {
	const [first, second] = [
		await admin("POST", "", { name: "first", sharedRooms: true }),
		await admin("POST", "", { name: "second", sharedRooms: true }),
	];
	const trunk = await clientOf(first).createSipInboundTrunk("mine", ["+15550177"]);
	await expect(clientOf(second).createSipInboundTrunk("mine", ["+1 555-0177"])).rejects.toThrow("taken on this deployment");
	await expect(bed.sip.createSipInboundTrunk("mine", ["+15550177"])).rejects.toThrow("taken on this deployment");
	// The demo's number is the default project's.
	await expect(clientOf(second).createSipInboundTrunk("demo", ["+15550100"])).rejects.toThrow("taken on this deployment");
	expect(await clientOf(second).listSipInboundTrunk()).toEqual([]);
	const rotated = await admin("POST", `/${first.projectId}/keys/${first.apiKey.key}/rotate`);

	await bed.close();
	bed = await start();
	for (const key of [first, rotated]) {
		const trunks = await clientOf(key).listSipInboundTrunk();
		expect(trunks.map(({ sipTrunkId }) => sipTrunkId)).toEqual([trunk.sipTrunkId]);
	}
	expect((await bed.sip.listSipInboundTrunk()).map(({ numbers }) => numbers)).toEqual([["+15550100"]]);
});

test("a project's policy holds for its dialling, and PATCH changes it", async () => {
	const project = await admin("POST", "", { sharedRooms: true, policy: { allowedPrefixes: ["+44"] } });
	const client = clientOf(project);
	const trunk = await client.createSipOutboundTrunk("out", "127.0.0.1:9", ["+15550100"]);
	const dial = (to: string): Promise<unknown> => client.createSipParticipant(trunk.sipTrunkId, to, "room", { ringingTimeout: 1 });
	await expect(dial("+4930123456")).rejects.toThrow(`PATCH /v1/projects/${project.projectId}`);
	await admin("PATCH", `/${project.projectId}`, { policy: { concurrentCalls: 0, allowedPrefixes: ["+"] } });
	await expect
		.poll(() => dial("+4930123456").catch((error: Error) => error.message), { timeout: 15_000, interval: 500 })
		.toContain("concurrentCalls = 0");
});

test("an inbound call belongs to the project whose number it is, and no other project sees it", async () => {
	const [first, second] = [
		await admin("POST", "", { name: "first", sharedRooms: true }),
		await admin("POST", "", { name: "second", sharedRooms: true }),
	];
	for (const [project, number] of [
		[first, "+15550171"],
		[second, "+15550172"],
	] as const) {
		const client = clientOf(project);
		const trunk = await client.createSipInboundTrunk("mine", [number], { ringingTimeout: 1 });
		await client.createSipDispatchRule(
			{ type: "direct", roomName: `room-${number}`, pin: "" },
			{ name: "mine", trunkIds: [trunk.sipTrunkId] },
		);
	}
	const phone = await bed.phone();
	const call = await phone.call(bed.uri("+15550172"), { from: "+15551111" });
	expect(await call.ended()).toMatchObject({ status: 480 });

	const calls = async ({ apiKey }: Created): Promise<{ to: string; roomName: string }[]> => {
		const token = new AccessToken(apiKey.key, apiKey.secret);
		token.addSIPGrant({ admin: true });
		const response = await fetch(`${bed.local.url}/v1/calls`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
		expect(response.status).toBe(200);
		return ((await response.json()) as { calls: { to: string; roomName: string }[] }).calls;
	};
	await until(async () => (await calls(second)).length === 1, "the call's record");
	expect((await calls(second))[0]).toMatchObject({ to: "+15550172", roomName: "room-+15550172" });
	expect(await calls(first)).toEqual([]);
});
