import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RoomServiceClient, SipClient } from "livekit-server-sdk";
import { afterEach, describe, expect, it } from "vitest";
import { busyTcpPort, busyUdpPort, clear, launch, start, temporaryDirectory, twoCalls } from "./local-process.ts";
import { until } from "./testbed.ts";

afterEach(clear);

/** Exit code 1, nothing on standard output, and this one line on standard error. */
async function expectRefusal(settings: Record<string, string>, line: string | RegExp): Promise<void> {
	const program = launch({ DATA_DIR: temporaryDirectory(), ...settings });
	expect(await program.exited).toMatchObject({ code: 1, signal: null });
	expect(program.stdout).toBe("");
	expect(program.stderr.match(/\n/g), program.stderr).toHaveLength(1);
	if (typeof line === "string") expect(program.stderr).toBe(`trunkline: ${line}\n`);
	else expect(program.stderr).toMatch(line);
}

describe("a start that cannot be", () => {
	it("says so in one line: bad setting", () =>
		expectRefusal({ SIP_PORT: "sip" }, "SIP_PORT=sip: must be a port number, 0 to 65535 (0 = any free port)"));

	it("music that nobody can play", () =>
		expectRefusal({ HOLD_MUSIC: "/none.wav", PORT: "0" }, /^trunkline: HOLD_MUSIC=\/none\.wav: ENOENT/));

	it("busy PORT", async () => {
		const PORT = String(await busyTcpPort());
		const line = `TCP port ${PORT} on 127.0.0.1 is in use by another program; stop that, or choose another port: PORT=… npm start`;
		await expectRefusal({ PORT }, line);
	});

	it("busy SIP_PORT", async () => {
		const SIP_PORT = String(await busyUdpPort());
		const line = `UDP port ${SIP_PORT} on 127.0.0.1 is in use by another program; stop that, or choose another port: SIP_PORT=… npm start`;
		await expectRefusal({ SIP_PORT }, line);
	});

	it("RTP ports used up", async () => {
		const port = await busyUdpPort(true);
		const range = `${port}-${port + 1}`;
		const line = `RTP_PORT_RANGE=${range}: every even UDP port of it is in use by another program; choose another range: RTP_PORT_RANGE=… npm start`;
		await expectRefusal({ RTP_PORT_RANGE: range }, line);
	});

	// TEST-NET-3 (RFC 5737) is nobody's address
	it("HOST of another machine", () =>
		expectRefusal({ HOST: "203.0.113.7" }, "HOST=203.0.113.7: is not an address of this machine; set HOST to one that is"));

	it.skipIf(process.getuid?.() === 0)("a port that needs rights", () =>
		expectRefusal({ PORT: "1" }, "TCP port 1 on 127.0.0.1 may not be used without more rights; choose one above 1023: PORT=… npm start"),
	);

	it("DATA_DIR is a file", async () => {
		const file = join(temporaryDirectory(), "file");
		writeFileSync(file, "");
		await expectRefusal({ DATA_DIR: file }, /^trunkline: The data directory .*file.* a part of the path is a file\. .*DATA_DIR/);
	});

	it.skipIf(process.platform !== "linux")("DATA_DIR cannot be made", () =>
		expectRefusal({ DATA_DIR: "/proc/trunkline" }, /^trunkline: The data directory \/proc\/trunkline.* cannot be used: .*DATA_DIR/),
	);

	it.skipIf(process.getuid?.() === 0)("DATA_DIR may not be written to (needs a user without all rights)", async () => {
		const DATA_DIR = join(temporaryDirectory(), "locked");
		mkdirSync(DATA_DIR, { mode: 0o500 });
		await expectRefusal({ DATA_DIR }, /^trunkline: The data directory .*permission denied.*DATA_DIR/);
	});

	it("a second one in the same DATA_DIR", async () => {
		const DATA_DIR = temporaryDirectory();
		const first = await start({ DATA_DIR });
		await expectRefusal({ DATA_DIR }, /^trunkline: The data directory .* is in use by another process\. .*DATA_DIR/);
		expect((await fetch(`${first.url}/healthz`)).status).toBe(200);
	});
});

const clientsOf = (url: string) => [new SipClient(url, "devkey", "secret"), new RoomServiceClient(url, "devkey", "secret")] as const;

describe("what a restart keeps", () => {
	it("trunks and rules, and that the first ones were deleted, also after kill -9", async () => {
		const DATA_DIR = temporaryDirectory();
		const first = await start({ DATA_DIR });
		expect(first.stdout).toContain("+15550100@");
		const [sip] = clientsOf(first.url);
		const [seededTrunk] = await sip.listSipInboundTrunk();
		const [seededRule] = await sip.listSipDispatchRule();
		expect(seededTrunk?.numbers).toEqual(["+15550100"]);
		expect(seededRule?.trunkIds).toEqual([seededTrunk?.sipTrunkId]);
		await sip.deleteSipDispatchRule(seededRule?.sipDispatchRuleId ?? "");
		await sip.deleteSipTrunk(seededTrunk?.sipTrunkId ?? "");
		first.kill("SIGKILL");
		await first.exited;

		const second = await start({ DATA_DIR });
		expect(second.stdout, "nobody is sent to a number that is gone").not.toContain("+15550100");
		const [sip2] = clientsOf(second.url);
		expect(await sip2.listSipInboundTrunk()).toEqual([]);
		expect(await sip2.listSipDispatchRule()).toEqual([]);
		const trunk = await sip2.createSipInboundTrunk("mine", ["+15550123"], { authUsername: "me", authPassword: "s3cret" });
		const rule = await sip2.createSipDispatchRule({ type: "direct", roomName: "mine", pin: "" }, { name: "mine" });
		second.kill("SIGTERM");
		expect(await second.exited).toMatchObject({ code: 0, signal: null });

		const [sip3] = clientsOf((await start({ DATA_DIR })).url);
		expect((await sip3.listSipInboundTrunk()).map(({ sipTrunkId, numbers }) => [sipTrunkId, numbers])).toEqual([
			[trunk.sipTrunkId, ["+15550123"]],
		]);
		expect((await sip3.listSipDispatchRule()).map(({ sipDispatchRuleId }) => sipDispatchRuleId)).toEqual([rule.sipDispatchRuleId]);
	});
});

describe("with LIVEKIT_URL", () => {
	it("calls and RoomService are that server's, and there is no embedded one", async () => {
		const server = await start({ LIVEKIT_API_KEY: "outside", LIVEKIT_API_SECRET: "its own secret" });
		const access = { LIVEKIT_URL: server.url, LIVEKIT_API_KEY: "outside", LIVEKIT_API_SECRET: "its own secret" };
		const node = await start(access);
		expect(node.stdout).toContain(`Rooms    ${server.url}\n`);
		expect(node.stdout).not.toContain("Warning");
		expect((await fetch(`${node.url}/rtc/validate`)).status).toBe(404);
		await twoCalls(node);
		for (const { url } of [server, node]) {
			const rooms = new RoomServiceClient(url, "outside", "its own secret");
			expect((await rooms.listParticipants("hello")).map(({ identity }) => identity).toSorted()).toEqual([
				"sip_+15551111",
				"sip_+15552222",
			]);
		}
	});

	it("one that is down, or does not take the key, is one clear warning, and calls say why", async () => {
		const server = await start();
		const wrongKey = await start({ LIVEKIT_URL: server.url, LIVEKIT_API_KEY: "devkey", LIVEKIT_API_SECRET: "guess" });
		expect(wrongKey.stdout.match(/Warning.*/g)).toEqual([
			`Warning  the LiveKit server at ${server.url} does not accept LIVEKIT_API_KEY and LIVEKIT_API_SECRET; calls fail until they are right.`,
		]);
		server.kill("SIGTERM");
		await server.exited;
		const down = await start({ LIVEKIT_URL: server.url, LIVEKIT_API_KEY: "devkey", LIVEKIT_API_SECRET: "secret" });
		expect(down.stdout.match(/Warning.*/g)).toEqual([
			`Warning  LIVEKIT_URL=${server.url} cannot be reached (nothing listens there); calls fail until it can be.`,
		]);
		expect([wrongKey.stderr, down.stderr]).toEqual(["", ""]);
		await expect(twoCalls(down)).rejects.toMatchObject({ name: "CallFailedError" });
		await until(() => down.stderr.includes("\n"), "a line in the log");
		expect(down.stderr).toMatch(/ECONNREFUSED|cannot be reached|room/);
		// it comes up: from now on calls work
		await start({ PORT: String(server.httpPort) });
		await twoCalls(down);
	});
});
