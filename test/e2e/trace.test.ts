import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CallDetails, Ladder } from "@trunkline/contracts";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
	bed = await Testbed.start();
});
afterEach(() => bed.clear());
afterAll(() => bed.close());

async function api(path: string): Promise<Response> {
	const token = new AccessToken(bed.access.apiKey, bed.access.apiSecret);
	token.addSIPGrant({ admin: true });
	return fetch(`${bed.local.url}${path}`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
}

/** Records are written beside the call, not before it. */
async function callTo(number: string): Promise<string> {
	let id = "";
	await until(async () => {
		const { calls } = (await (await api("/v1/calls")).json()) as { calls: { id: string; to: string }[] };
		id = calls.find(({ to }) => to === number)?.id ?? "";
		return id !== "";
	}, `a record of the call to ${number}`);
	return id;
}

/** The ladder as soon as its arrows say what is waited for. */
async function ladder(callId: string, last: string): Promise<Ladder> {
	let found: Ladder | undefined;
	await until(async () => {
		const response = await api(`/v1/calls/${callId}/trace`);
		found = response.ok ? ((await response.json()) as Ladder) : undefined;
		return found !== undefined && labels(found).includes(last);
	}, `a ladder with ${last}`);
	return found as Ladder;
}

const labels = ({ entries }: Ladder): string[] =>
	entries.flatMap((entry) => (entry.kind === "message" && !entry.retransmission ? [entry.label] : []));

describe("traces of calls", () => {
	it("has an inbound call from its INVITE on, live and to its end, without its secrets", async () => {
		const trunk = await bed.sip.createSipInboundTrunk("guarded", ["+15550133"], { authUsername: "carrier", authPassword: "s3cret" });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: "traced", pin: "" }, { trunkIds: [trunk.sipTrunkId] });
		const alice = await bed.participant("traced", "alice");
		await alice.speak(440);
		const phone = await bed.phone();
		const call = await phone.call(bed.uri("+15550133"), { from: "+15551111", username: "carrier", password: "s3cret" });
		await call.answered();
		const id = await callTo("+15550133");
		const live = await ladder(id, "ACK");
		expect(live.live).toBe(true);
		expect(labels(live).filter((label) => label !== "180 Ringing")).toEqual([
			"INVITE (SDP)",
			"100 Trying",
			"407 Proxy Authentication Required",
			"ACK",
			"INVITE (SDP)",
			"100 Trying",
			"200 OK (SDP)",
			"ACK",
		]);
		expect(live.participants).toEqual([
			{ id: "trunkline", name: "Trunkline", kind: "trunkline" },
			{ id: `127.0.0.1:${phone.port}`, name: `127.0.0.1:${phone.port}`, kind: "peer" },
		]);
		const texts = live.entries.flatMap((entry) => (entry.kind === "message" ? [entry.text] : []));
		expect(texts.join("")).toMatch(/Proxy-Authorization: Digest [^\n]*response="x{32,64}"/);
		expect(texts.join("")).not.toMatch(/response="[0-9a-f]/);
		expect(live.entries.some((entry) => entry.kind === "event" && entry.label === "answered")).toBe(true);

		call.hangup();
		await call.ended();
		const over = await ladder(id, "200 OK to BYE");
		expect(labels(over).slice(-2)).toEqual(["BYE", "200 OK to BYE"]);
		await until(async () => !(await ladder(id, "BYE")).live, "the call to be over");

		const file = await api(`/v1/calls/${id}/trace.pcapng`);
		expect(file.headers.get("content-type")).toBe("application/x-pcapng");
		const path = join(bed.dataDir, "call.pcapng");
		writeFileSync(path, Buffer.from(await file.arrayBuffer()));
		const read = await promisify(execFile)("tcpdump", ["-r", path, "-n", "-vv"]).catch((error: NodeJS.ErrnoException) =>
			error.code === "ENOENT" ? undefined : Promise.reject(error),
		);
		// Where there is no tcpdump our own reader (packages/trace) has to do.
		if (read !== undefined) {
			expect(read.stdout).toContain(`127.0.0.1.${phone.port} > 127.0.0.1.${bed.local.sipPort}: [udp sum ok]`);
			expect(read.stdout).not.toMatch(/bad udp cksum|bad cksum/);
			expect(read.stdout.match(/udp sum ok/g)?.length).toBe(over.entries.filter(({ kind }) => kind === "message").length);
		}
	});

	it("has a call that was refused, with the decision beside it", async () => {
		const phone = await bed.phone();
		const call = await phone.call(bed.uri("+15550199"), { from: "+15551111" });
		await expect(call.answered()).rejects.toThrow(/404/);
		const id = await callTo("+15550199");
		const seen = await ladder(id, "ACK");
		expect(labels(seen)).toEqual(["INVITE (SDP)", "100 Trying", "404 Does Not Match Any Trunk", "ACK"]);
		expect(seen.summary).toMatch(/^inbound call from \+15551111 to \+15550199: no inbound trunk matched the call .*; 4 SIP messages$/);
		const details = (await (await api(`/v1/calls/${id}`)).json()) as CallDetails;
		expect(details.explanation).toMatchObject({ cause: "no-trunk" });
	});

	it("has an outbound call under its id", async () => {
		const phone = await bed.phone();
		phone.onIncoming((call) => call.reject(486, "Busy Here"));
		const trunkId = await bed.outbound(phone);
		await expect(bed.sip.createSipParticipant(trunkId, "+15550177", "traced-out", { waitUntilAnswered: true })).rejects.toThrow(/486/);
		const id = await callTo("+15550177");
		const seen = await ladder(id, "ACK");
		expect(labels(seen).filter((label) => !label.startsWith("1"))).toEqual(["INVITE (SDP)", "486 Busy Here", "ACK"]);
	});

	it("has nothing of another project's call, and says why there is none", async () => {
		const response = await api("/v1/calls/SCL_none/trace");
		expect(response.status).toBe(404);
		expect(await response.json()).toMatchObject({ code: "not_found" });
	});
});
