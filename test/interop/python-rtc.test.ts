// LiveKit's Python client in a room of the embedded server with rtc-node, both as they come from their package indexes.
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { RoomEvent } from "@livekit/rtc-node";
import { pythonMissing, pythonOf } from "@trunkline/testkit/python";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RunningServer, startServer, until } from "../../packages/room-server/src/testing/harness.ts";
import { disposeParticipants, Participant } from "../e2e/participant.ts";
import { expectTones, settle } from "../e2e/tones.ts";
import { run } from "./programs.ts";

const PACKAGES = ["livekit==1.2.1", "livekit-api==1.2.2"];
const ROOM = "python-room";
const NODE_HZ = 900;
const PYTHON_HZ = 440;

const missing = await pythonMissing("livekit", PACKAGES);
if (missing !== undefined) process.stderr.write(`No room is joined with LiveKit's Python client: ${missing}\n`);

describe.skipIf(missing !== undefined).each([
	["on one connection (/rtc/v1)", false],
	["on two connections (/rtc)", true],
])("livekit from Python %s (needs python3 with the livekit package)", (_path, onlyTwoConnections) => {
	let running: RunningServer;
	let node: Participant;
	beforeAll(async () => {
		running = await startServer({ departureTimeoutMs: 30 }, { onlyTwoConnections });
	});
	let child: ChildProcess | undefined;
	afterEach(async () => {
		// when the test did not get to its end
		child?.kill();
		await node.leave();
	});
	afterAll(() => running.close());

	test("joins, speaks and listens, exchanges data, texts, attributes and RPC, and calls RoomService", async () => {
		const { httpUrl, rooms: service } = running;
		node = await Participant.join({ url: httpUrl, apiKey: "devkey", apiSecret: "secret" }, ROOM, "node");
		const local = node.room.localParticipant;
		if (local === undefined) throw new Error("not connected");
		const received: string[] = [];
		const texts: Promise<string>[] = [];
		node.room.on(RoomEvent.DataReceived, (payload, from, _kind, topic) =>
			received.push(`${new TextDecoder().decode(payload)} of ${from?.identity} about ${topic}`),
		);
		node.room.registerTextStreamHandler("chat", (reader, { identity }) => {
			texts.push(reader.readAll().then((text) => `${identity}: ${text.length}`));
		});
		local.registerRpcMethod("greet", async ({ payload, callerIdentity }) => `hello ${payload} of ${callerIdentity}`);

		const script = join(import.meta.dirname, "python/rtc.py");
		const finished = run(pythonOf("livekit", PACKAGES), [script, httpUrl, "devkey", "secret", ROOM], 50_000, (started) => {
			child = started;
		});
		await node.speak(NODE_HZ);
		const python = await until(() => node.room.remoteParticipants.get("python"), 20_000);
		expect([python.name, python.attributes["language"]]).toEqual(["Py", "python"]);
		await until(() => texts.length === 1 && received.length === 1 && node.digits.length === 1, 20_000);
		expect(received).toEqual(["from python of python about t"]);
		expect(node.digits).toEqual([{ digit: "7", from: "python" }]);
		expect(await texts[0]).toBe("python: 28000");
		await until(() => python.attributes["mood"] === "good");
		expect(python.attributes).toEqual({ language: "python", mood: "good" });
		node.take("python");
		await settle(900);
		expectTones(node.take("python"), 48_000, [PYTHON_HZ], [NODE_HZ], -15);

		await local.publishData(new TextEncoder().encode("from node"), { reliable: true, topic: "u", destination_identities: ["python"] });
		await local.publishDtmf(11, "#");
		await service.updateParticipant(ROOM, "node", { attributes: { role: "host" } });
		await local.sendText("a text of node", { topic: "chat" });
		expect(await local.performRpc({ destinationIdentity: "python", method: "square", payload: "12" })).toBe("144 for node");
		await expect(local.performRpc({ destinationIdentity: "python", method: "square", payload: "x" })).rejects.toMatchObject({ code: 42 });
		expect(await local.performRpc({ destinationIdentity: "python", method: "finish", payload: "" })).toBe("all");
		await service.removeParticipant(ROOM, "python");

		const { code, output } = await finished;
		expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
		const lines = output.split("\n").filter((line) => line.startsWith("{"));
		const steps = new Map(
			lines.map((line) => {
				const { step, ...seen } = JSON.parse(line) as Record<string, unknown>;
				return [step, seen];
			}),
		);
		const heard = steps.get("heard") as { of: string; hz: number; rms: number };
		expect([steps.get("joined"), heard.of]).toEqual([{ room: ROOM, sid: expect.stringMatching(/^RM_/), others: ["node"] }, "node"]);
		expect(Math.abs(heard.hz - NODE_HZ)).toBeLessThan(10);
		// -20 dBov is an rms of 3277, as the generator counts; Opus keeps it within a decibel
		expect(heard.rms / 3277).toBeGreaterThan(0.8);
		expect(heard.rms / 3277).toBeLessThan(1.25);
		expect(
			Object.fromEntries(["speaker", "rpc", "rpc error", "data", "dtmf", "attributes", "text"].map((step) => [step, steps.get(step)])),
		).toEqual({
			speaker: { who: "node" },
			rpc: { answer: "hello python of python" },
			"rpc error": { code: 1400 },
			data: { text: "from node", from: "node", topic: "u" },
			dtmf: { digit: "#", from: "node" },
			attributes: { of: "node", changed: { role: "host" } },
			text: { text: "a text of node", from: "node", topic: "chat" },
		});
		expect(steps.get("participants")).toEqual({ identities: ["node", "python"] });
		expect(steps.get("muted")).toMatchObject({ of: "node" });
		expect(steps.get("disconnected")).toEqual({ reason: "PARTICIPANT_REMOVED" });
	}, 60_000);
});

afterAll(() => disposeParticipants());
