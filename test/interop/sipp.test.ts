import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeG711, tone } from "@trunkline/audio";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { installed, run } from "./programs.ts";

const SCENARIOS = join(dirname(fileURLToPath(import.meta.url)), "sipp");

describe.skipIf(!installed("sipp"))("SIPp (needs sipp)", () => {
	let bed: Testbed;
	const directory = mkdtempSync(join(tmpdir(), "trunkline-sipp-"));

	beforeAll(async () => {
		bed = await Testbed.start();
	});
	afterEach(async () => {
		await bed.clear();
		await bed.idle();
	});
	afterAll(async () => {
		await bed.close();
		rmSync(directory, { recursive: true, force: true });
	});

	const sipp = (args: readonly string[], withinMs = 30_000) =>
		run("sipp", ["-i", "127.0.0.1", "-nostdin", "-timeout", "25s", ...args], withinMs);

	it("calls in, is heard and hangs up", async () => {
		const payload = new Uint8Array(8_000 * 3);
		encodeG711("PCMU", tone(8_000, 440, 3_000, -20), payload);
		writeFileSync(join(directory, "tone.raw"), payload);
		const scenario = join(directory, "talk.xml");
		writeFileSync(scenario, readFileSync(join(SCENARIOS, "uac-talk.xml"), "utf8").replace("[file]", `${join(directory, "tone.raw")},-1,0`));

		const trunk = await bed.sip.createSipInboundTrunk("sipp", ["+15550310"], { headersToAttributes: { "X-Order": "order" } });
		await bed.sip.createSipDispatchRule({ type: "direct", roomName: "sipp", pin: "" }, { name: "sipp", trunkIds: [trunk.sipTrunkId] });
		const agent = await bed.participant("sipp", "agent");
		await agent.speak(1_000);
		const call = sipp(["-sf", scenario, "-s", "+15550310", "-m", "1", `127.0.0.1:${bed.local.sipPort}`]);
		await until(() => agent.heardFrom().includes("sip_+15557777"), "the participant to hear SIPp");
		await settle(300);
		agent.take("sip_+15557777");
		await settle(1_200);
		expectTones(agent.take("sip_+15557777"), 48_000, [440], [1_000]);
		const [seen] = (await bed.rooms.listParticipants("sipp")).filter((one) => one.identity === "sip_+15557777");
		expect(seen?.attributes["order"]).toBe("4711");
		const { code, output } = await call;
		expect(code, output).toBe(0);
		await until(() => agent.left.includes("sip_+15557777"), "SIPp to leave");
	});

	it("calls in over TCP, holds and resumes: the answers have the right directions", async () => {
		const trunk = await bed.sip.createSipInboundTrunk("sipp", ["+15550311"]);
		await bed.sip.createSipDispatchRule(
			{ type: "direct", roomName: "sipp-tcp", pin: "" },
			{ name: "sipp-tcp", trunkIds: [trunk.sipTrunkId] },
		);
		const agent = await bed.participant("sipp-tcp", "agent");
		await agent.speak(1_000);
		const scenario = join(SCENARIOS, "uac-hold.xml");
		for (const transport of ["u1", "t1"]) {
			const { code, output } = await sipp([
				"-t",
				transport,
				"-sf",
				scenario,
				"-s",
				"+15550311",
				"-m",
				"1",
				`127.0.0.1:${bed.local.sipPort}`,
			]);
			expect(code, output).toBe(0);
		}
	});

	it("is registered with, credentials checked", async () => {
		const port = 25_073;
		const registrar = sipp(["-sf", join(SCENARIOS, "registrar.xml"), "-p", String(port), "-m", "1"]);
		await settle(300);
		const trunk = await bed.sip.createSipOutboundTrunk("sipp", `127.0.0.1:${port}`, ["+15550100"], {
			transport: 0,
			authUsername: "trunk",
			authPassword: "secret",
		});
		await bed.settings(trunk.sipTrunkId, { registration: { enabled: true } });
		const { code, output } = await registrar;
		expect(code, output).toBe(0);
		// The scenario ends well whatever it answered: 200 shows here.
		expect(await bed.registration(trunk.sipTrunkId)).toBe("registered");
		await bed.sip.deleteSipTrunk(trunk.sipTrunkId);
	});

	it("20 calls at 10 per second to a number nobody has: 20 times 404", async () => {
		const { output } = await sipp([
			"-sn",
			"uac",
			"-s",
			"+19990000",
			"-m",
			"20",
			"-r",
			"10",
			"-trace_stat",
			"-stf",
			join(directory, "stat.csv"),
			`127.0.0.1:${bed.local.sipPort}`,
		]);
		const [, refused] = /404[^\d]+(\d+)/.exec(output) ?? [];
		const rows = readFileSync(join(directory, "stat.csv"), "utf8").trim().split("\n");
		const names = rows[0]?.split(";") ?? [];
		const last = rows.at(-1)?.split(";") ?? [];
		const value = (name: string): number => Number(last[names.indexOf(name)]);
		expect(value("TotalCallCreated"), refused).toBe(20);
		expect(value("FailedUnexpectedMessage(C)")).toBe(20);
		await bed.idle();
	});

	it("is called, and a call it takes is ended from the room", async () => {
		const called = sipp(["-sn", "uas", "-p", "25071", "-m", "1"]);
		const trunk = await bed.sip.createSipOutboundTrunk("sipp", "127.0.0.1:25071", ["+15550100"], { transport: 0 });
		await settle(300);
		await bed.sip.createSipParticipant(trunk.sipTrunkId, "+15550199", "sipp-out", { participantIdentity: "sipp", waitUntilAnswered: true });
		await bed.rooms.removeParticipant("sipp-out", "sipp");
		const { code, output } = await called;
		expect(code, output).toBe(0);
	});
});
