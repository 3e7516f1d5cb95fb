import { dimensionName, EmfMetrics, createLogger, METRICS, type MetricDefinition } from "@trunkline/observability";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QUERIES } from "../../infra/monitoring/queries.ts";
import { AllowedSources } from "../../media-node/src/ua/allowed-sources.ts";
import { Guard } from "../../media-node/src/ua/guard.ts";
import { readQuery } from "../infra/insights.ts";
import { Testbed, until } from "./testbed.ts";

// What the console gets to see of real calls: the lines of API, queue and node, and the measurements, as CloudWatch would read them.

type Line = Record<string, unknown>;

const SECRET_NUMBERS = ["+15550142", "+15550143", "+15550144", "+881612345678"] as const;
const [CALLED, CALLER, DIALLED, FORBIDDEN] = SECRET_NUMBERS;
const ROOM = "a-room-with-a-name-of-its-own";
const PASSWORD = "a-password-of-a-trunk";

let bed: Testbed;
let emf: EmfMetrics;
const lines: Line[] = [];
const measured: Line[] = [];

const log = createLogger({ name: "trunkline", level: "info", destination: { write: (text) => void lines.push(JSON.parse(text) as Line) } });

beforeAll(async () => {
	emf = new EmfMetrics({
		stage: "test",
		region: "local",
		nodeId: "ND_1",
		now: Date.now,
		write: (text) => void measured.push(JSON.parse(text) as Line),
	});
	bed = await Testbed.start({}, { log, metrics: emf });
	await runCalls();
});
afterAll(() => bed?.close());

/** One call in, long enough to be judged; one out; one that nobody takes; a request that fails. */
async function runCalls(): Promise<void> {
	await bed.inbound(CALLED, ROOM);
	const phone = await bed.phone();
	const agent = await bed.participant(ROOM, "agent");
	await agent.speak(1_000);
	const incoming = await phone.call(bed.uri(CALLED), { from: CALLER });
	incoming.tone(440, -20);
	await incoming.answered();

	const callee = await bed.phone();
	callee.onIncoming((call) => {
		call.ring();
		void call.answer();
	});
	const trunk = await bed.outbound(callee, { authUsername: "user", authPassword: PASSWORD });
	await bed.sip.createSipParticipant(trunk, DIALLED, ROOM, { participantIdentity: "callee", waitUntilAnswered: true });

	await (await phone.call(bed.uri("+15550199"), { from: CALLER })).ended();
	await expect(bed.sip.createSipParticipant("ST_nobody", DIALLED, ROOM)).rejects.toThrow("trunk");

	// Satellite telephones are not called unless a project says so.
	await expect(bed.sip.createSipParticipant(trunk, FORBIDDEN, ROOM)).rejects.toThrow("may not be called");

	await until(
		() => {
			emf.flush();
			return measured.some((line) => "CallMos" in line);
		},
		"5 s of a call to be judged",
		20_000,
	);
	incoming.hangup();
	await bed.rooms.removeParticipant(ROOM, "callee");
	await bed.clear();
	await bed.idle();
	emf.flush();
}

const withMessage = (message: string): Line[] => lines.filter(({ msg }) => msg === message);

/** As Logs Insights finds them: nested ones by a path. */
function fieldsOf(line: Line, path = ""): string[] {
	return Object.entries(line).flatMap(([name, value]) => {
		const at = `${path}${name}`;
		return typeof value === "object" && value !== null && !Array.isArray(value) ? [at, ...fieldsOf(value as Line, `${at}.`)] : [at];
	});
}

describe("measurements", () => {
	it("have the names, units and dimensions of the list", () => {
		const definitions: Record<string, MetricDefinition> = METRICS;
		for (const line of measured) {
			const { CloudWatchMetrics } = line["_aws"] as {
				CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
			};
			for (const { Namespace, Dimensions, Metrics } of CloudWatchMetrics) {
				expect(Namespace).toBe("Trunkline");
				for (const { Name, Unit } of Metrics) {
					const { unit, dimensions = {} } = definitions[Name] ?? {};
					expect(Unit, Name).toBe(unit);
					expect(Dimensions, Name).toEqual([["Stage", "Region", ...Object.keys(dimensions).map(dimensionName)]]);
					for (const [key, values] of Object.entries(dimensions)) expect(values, Name).toContain(line[dimensionName(key)]);
					expect(line[Name], Name).toBeDefined();
				}
			}
		}
	});

	it("are there of two good calls and two bad ones: all but those of what did not happen", () => {
		const names = new Set(measured.flatMap((line) => Object.keys(line)).filter((name) => name in METRICS));
		const missing = Object.keys(METRICS).filter((name) => !names.has(name));
		// Nobody went away, no node died, none was full, and the phone sends no RTCP.
		const never = ["CallsTurnedAway", "DeadNodesBuried", "CallsNotClaimed", "EventsGivenUp"];
		expect(missing.filter((name) => !["CallRoundTrip", "CallJitter"].includes(name)).sort()).toEqual(never.sort());
	});

	it("count what happened", () => {
		const sum = (name: string, dimension = "", value = ""): number =>
			measured.filter((line) => dimension === "" || line[dimension] === value).reduce((total, line) => total + Number(line[name] ?? 0), 0);
		expect([sum("CallAttempts", "Direction", "inbound"), sum("CallAnswers", "Direction", "inbound")]).toEqual([1, 1]);
		expect([sum("CallAttempts", "Direction", "outbound"), sum("CallAnswers", "Direction", "outbound")]).toEqual([1, 1]);
		expect([sum("CallFailures"), sum("CallFailures", "Reason", "no-trunk"), sum("DialClaims", "Outcome", "claimed")]).toEqual([1, 1, 1]);
		expect([sum("ApiRequests", "Operation", "dial"), sum("ApiErrors", "Code", "404"), sum("ApiErrors", "Code", "403")]).toEqual([3, 1, 1]);
	});
});

describe("the lines of a call", () => {
	it("tell its whole story by its id: API, queue, node, SIP", () => {
		const [dialled] = withMessage("call claimed");
		const { callId, requestId, trunkId } = dialled ?? {};
		const story = lines.filter((line) => line["callId"] === callId);
		expect(story.map(({ msg, event, reason, route }) => String(event ?? reason ?? route ?? msg))).toEqual(
			expect.arrayContaining([
				"outbound call queued",
				"call claimed",
				"joined-room",
				"dialing",
				"ringing",
				"answered",
				"active",
				"participant-removed",
			]),
		);
		for (const line of story) expect(line, String(line["msg"])).toMatchObject({ requestId, trunkId, region: "local" });
		const answered = lines.find((line) => line["msg"] === "request answered" && line["requestId"] === requestId);
		expect(answered).toMatchObject({ operation: "dial", status: 200, callId, projectId: "default" });
		expect(story.at(-1)).toMatchObject({ msg: "call ended", answered: true, failed: false, direction: "outbound" });
	});

	it("of a call that came in, too", () => {
		const [received] = withMessage("call received");
		const story = lines.filter((line) => line["callId"] === received?.["callId"]);
		expect(story.map(({ msg, event }) => String(event ?? msg))).toEqual(["call received", "joined-room", "answered", "call ended"]);
		for (const line of story)
			expect(line).toMatchObject({ direction: "inbound", trunkId: received?.["trunkId"], region: "local", projectId: "default" });
	});

	it("every line that is about a call says which, and where", () => {
		const about = lines.filter(({ msg }) => /\bcall\b/.test(String(msg)));
		expect(about.length).toBeGreaterThan(8);
		for (const line of about) expect(line, String(line["msg"])).toMatchObject({ callId: expect.stringMatching(/^SCL_/), region: "local" });
	});

	it("have neither numbers nor rooms, passwords or tokens in them", () => {
		const text = JSON.stringify([lines, measured]);
		for (const secret of [...SECRET_NUMBERS, "5550199", ROOM, PASSWORD, bed.access.apiSecret, "eyJ"])
			expect(text).not.toContain(secret.replace("+", ""));
	});
});

describe("saved queries", () => {
	/** From loopback nobody can be banned, and in these calls nothing failed: those lines are made by the parts that write them. */
	function otherLines(): Line[] {
		const more: Line[] = [];
		const other = createLogger({
			name: "media-node",
			level: "info",
			destination: { write: (text) => void more.push(JSON.parse(text) as Line) },
		});
		const sources = new AllowedSources({ trunks: async () => undefined, log: other });
		const guard = new Guard({ sources, unknownSources: "answer", live: () => false, now: () => 0, log: other });
		for (let strikes = 0; strikes < 100; strikes++) guard.strike("192.0.2.7", "bad-credentials");
		other.error({ err: new Error("of a test") }, "an error");
		return more;
	}

	it.each(Object.entries(QUERIES))("%s reads fields that lines have", (_key, { query }) => {
		const there = new Set([...lines, ...measured, ...otherLines()].flatMap((line) => fieldsOf(line)));
		expect(readQuery(query).fields.filter((field) => !field.startsWith("@") && !there.has(field))).toEqual([]);
	});

	it("ask for messages that the code writes", () => {
		const asked = Object.values(QUERIES).flatMap(({ query }) => [...query.matchAll(/msg = "([^"]+)"/g)].map(([, message]) => message));
		const written = new Set([...lines, ...otherLines()].map(({ msg }) => msg));
		expect(asked.filter((message) => !written.has(message))).toEqual([]);
	});
});
