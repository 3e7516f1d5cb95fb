import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { DialRequest, InboundTrunk } from "@trunkline/contracts";
import type { TransferOutcome } from "@trunkline/domain";
import type { Address } from "@trunkline/sip";
import {
	callRecord,
	captureLogs,
	dialRequest,
	type DialogueStep,
	DialogueTerms,
	dispatchRule,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	nodeHashes,
	parseDialogue,
	seededBytes,
	seededRandom,
	SimClock,
	SimNet,
} from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { decideWith } from "./call/decide.ts";
import { FakeMedia, FakeRooms } from "./call/fakes.testkit.ts";
import { Identities } from "./call/identities.ts";
import { InboundCall } from "./call/inbound-call.ts";
import { OutboundCall } from "./call/outbound-call.ts";
import { outboundPlan } from "./call/outbound-plan.ts";
import type { CallDeps, CallRunner } from "./call/runner.ts";
import { SipUserAgent } from "./ua/user-agent.ts";

/*
 * Dialogues with providers (test/fixtures/providers), played against the real endpoint, the real matching and the real call in simulated time. The peer of
 * each is the file; what must come from us is in it line by line.
 */

const FIXTURES = new URL("../../test/fixtures/providers/", import.meta.url).pathname;
const OURS: Address = { host: "192.0.2.10", port: 5060, transport: "UDP" };
const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";
/** Longer than any wait that RFC 3261 knows but the ringing itself. */
const PATIENCE_MS = 40_000;

const files = globSync("*/*.txt", { cwd: FIXTURES }).sort();
const byProvider = Map.groupBy(files, (file) => dirname(file));

describe.each([...byProvider])("%s", (_provider, dialogues) => {
	it.each(dialogues.map((file) => [basename(file, ".txt"), file]))("%s", async (_name, file) => {
		expect(await play(readFileSync(`${FIXTURES}${file}`, "utf8"), file)).toEqual([]);
	});
});

/** What was not as the dialogue says, up to the first step that was not. */
async function play(text: string, file: string): Promise<string[]> {
	const { fields, steps } = parseDialogue(text);
	const world = new World(fields);
	await world.start();
	for (const step of steps) {
		const problems = await world.play(step);
		if (problems.length > 0) return problems.map((problem) => `${file}:${step.line}: ${problem}`);
	}
	return (await world.end()).map((problem) => `${file}: at the end: ${problem}`);
}

function addressOf(text: string): Address {
	const [, host, port, transport] = /^([\d.]+):(\d+)\/(UDP|TCP|TLS)$/.exec(text) ?? [];
	if (host === undefined) throw new Error(`${text} is no address like 192.0.2.1:5060/UDP`);
	return { host, port: Number(port), transport: transport as Address["transport"] };
}

class World {
	readonly #fields: Readonly<Record<string, string>>;
	readonly #clock = new SimClock(START);
	readonly #net = new SimNet(this.#clock);
	readonly #calls = new MemoryCallStore({ now: () => this.#clock.now() });
	readonly #config = new MemoryConfigStore();
	readonly #rooms = new FakeRooms();
	readonly #media = new FakeMedia();
	readonly #terms = new DialogueTerms();
	readonly #log = captureLogs();
	readonly #outcomes: TransferOutcome[] = [];
	readonly #attributes: Record<string, string> = {};
	readonly #seen = new Set<string>();
	readonly #userAgent: SipUserAgent;
	readonly #deps: CallDeps;
	#read = 0;
	#call: CallRunner | undefined;
	#over = 0;
	#endMessage = "";
	#peer: Address;
	/** where requests of ours go, one after the other */
	#targets: Address[];

	constructor(fields: Readonly<Record<string, string>>) {
		this.#fields = fields;
		this.#peer = addressOf(fields["peer"] ?? "");
		this.#targets = (fields["targets"] ?? fields["peer"] ?? "").split(" ").map(addressOf);
		const random = seededBytes(seededRandom(7));
		this.#deps = {
			clock: this.#clock,
			media: this.#media,
			rooms: this.#rooms,
			calls: this.#calls,
			projectId: "project",
			roomUrl: async () => "ws://rooms",
			token: async ({ attributes }) => {
				Object.assign(this.#attributes, attributes);
				return "token";
			},
			nodeId: "ND_1",
			region: "local",
			mediaTimeoutMs: { first: 3_600_000, later: 3_600_000 },
			random,
			log: this.#log,
			onTransfer: (_ids, outcome) => void this.#outcomes.push(outcome),
			onOver: () => void (this.#over += 1),
		};
		const decide = decideWith({
			configStore: this.#config,
			callStore: this.#calls,
			projectFor: async () => "project",
			strict: true,
			hashes: nodeHashes,
			nonceSecret: new Uint8Array(32),
			random,
			now: () => this.#clock.now(),
			identities: new Identities(),
			log: this.#log,
		});
		this.#userAgent = new SipUserAgent({
			endpoint: {
				userAgent: "Trunkline",
				contact: { host: OURS.host, port: OURS.port },
				random,
				hashes: nodeHashes,
				allow: ["NOTIFY", "UPDATE"],
				unlisted: ["REFER"],
				supported: ["100rel", "norefersub"],
			},
			clock: this.#clock,
			resolve: async () => this.#targets,
			send: (bytes, to) => this.#net.send(OURS, to, bytes),
			onInvite: (invite, request, leg) => {
				const call = new InboundCall(CALL_ID, this.#deps, invite, leg, (given, callId) => decide(given, request, callId));
				this.#call = call;
				call.dispatch({ type: "start" });
				return (event) => call.onLeg(event);
			},
			refusal: () =>
				this.#fields["refusal"] === undefined ? undefined : { why: "full", reason: this.#fields["refusal"], retryAfterSeconds: 30 },
			log: this.#log,
		});
		this.#net.bind(OURS, ({ bytes, from }) => this.#userAgent.received(bytes, from));
	}

	async start(): Promise<void> {
		const { trunk, dial } = this.#fields;
		if (trunk !== undefined) {
			await this.#config.createTrunk("project", inboundTrunk({ trunkId: "ST_1", ...(JSON.parse(trunk) as Partial<InboundTrunk>) }));
			await this.#config.createRule("project", dispatchRule({ rule: { type: "direct", roomName: "lobby", pin: "" }, trunkIds: ["ST_1"] }));
		}
		if (dial === undefined) return;
		const request = { ...dialRequest(), ...(JSON.parse(dial) as Partial<DialRequest>) };
		await this.#calls.createCall(callRecord({ callId: CALL_ID, createdAt: START, request }));
		const claimed = await this.#calls.claimCall(CALL_ID, "ND_1", START, START + 15_000);
		if (claimed === undefined) throw new Error("not claimed");
		this.#call = new OutboundCall(this.#deps, claimed, outboundPlan(claimed, this.#log), this.#userAgent, () => {});
		this.#call.dispatch({ type: "start" });
		await this.#pass(1);
	}

	async play(step: DialogueStep): Promise<string[]> {
		if (step.kind === "send") {
			this.#net.send(this.#peer, OURS, this.#terms.message(step));
			await this.#pass(2);
			return [];
		}
		return step.kind === "expect" ? this.#awaited(step) : this.#act(step.lines[0] ?? "");
	}

	/** The next message of ours that is no repetition. */
	async #awaited(step: DialogueStep): Promise<string[]> {
		for (let waited = 0; waited <= PATIENCE_MS; waited += 100) {
			const next = this.#next();
			if (next !== undefined) {
				const text = new TextDecoder().decode(next.bytes);
				const problems = this.#terms.problems(step, text);
				if (next.to.host !== this.#peer.host) problems.push(`it went to ${next.to.host}, not to ${this.#peer.host}`);
				return problems.length === 0 ? [] : [...problems, `the message was:\n${text}`];
			}
			await this.#pass(waited === 0 ? 1 : 100);
		}
		return [`nothing came within ${PATIENCE_MS} ms, but should have: ${step.lines[0]}`];
	}

	async #act(command: string): Promise<string[]> {
		this.#endMessage = (await this.#calls.getCall(CALL_ID))?.end?.message ?? "";
		const [, verb = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(command) ?? [];
		const found = this.#facts[verb]?.(rest);
		if (found !== undefined) return found === rest ? [] : [`${verb} is ${found}, not ${rest}`];
		if (verb === "wait") {
			await this.#pass(Number(rest));
			return [];
		}
		const act = this.#acts[verb];
		if (act === undefined) throw new Error(`there is no @ ${verb}`);
		act(rest);
		await this.#pass(1);
		return [];
	}

	readonly #acts: Readonly<Record<string, (rest: string) => void>> = {
		peer: (address) => {
			this.#peer = addressOf(address);
		},
		"room-listens": () => this.#rooms.sessions.at(-1)?.subscribe("TR_1"),
		audio: () => this.#media.one.emit({ type: "media-started" }),
		"set-attribute": (assignment) => {
			const [, name = "", value = ""] = /^([^=]+)=(.*)$/.exec(assignment) ?? [];
			for (const session of this.#rooms.sessions) session.own = { ...session.own, [name]: value };
		},
		"room-deleted": () => this.#rooms.sessions.at(-1)?.emit({ type: "closed", reason: "room-deleted", message: "deleted" }),
		"hang-up": () => this.#call?.dispatch({ type: "hang-up" }),
		transfer: (transferTo) =>
			this.#call?.dispatch({
				type: "transfer",
				command: { transferId: "STR_1", transferTo, playDialtone: false, headers: {}, ringingTimeoutMs: 30_000 },
			}),
	};

	/** in the form in which the dialogue has them */
	readonly #facts: Readonly<Record<string, (wanted: string) => string>> = {
		phase: () => String(this.#call?.phase),
		"end-message": () => this.#endMessage,
		media: () => String(this.#media.one.did.findLast((what) => what.startsWith("start"))).replace("start ", ""),
		outcome: () => {
			const last = this.#outcomes.at(-1);
			return [last?.status, last?.reason, last?.sipStatus?.code].filter((word) => word !== undefined).join(" ");
		},
		attribute: (wanted) => {
			const name = wanted.slice(0, wanted.indexOf("="));
			const changes = this.#rooms.sessions.flatMap((session) => session.attributeChanges);
			const all = new Map([this.#attributes, ...changes].flatMap((attributes) => Object.entries(attributes)));
			return `${name}=${all.get(name)}`;
		},
	};

	/** Nothing more comes, no call is left, and everything that was kept is let go. */
	async end(): Promise<string[]> {
		await this.#pass(PATIENCE_MS);
		const problems: string[] = [];
		const next = this.#next();
		if (next !== undefined) problems.push(`one message more:\n${new TextDecoder().decode(next.bytes)}`);
		const calls = this.#call === undefined ? 0 : 1;
		if (this.#over !== calls) problems.push(`${this.#over} of ${calls} calls are over`);
		this.#clock.runUntilIdle(400_000);
		const { transactions, dialogs, legs } = this.#userAgent.stats();
		if (transactions + dialogs + legs > 0) problems.push(`${transactions} transactions, ${dialogs} dialogs, ${legs} legs are left`);
		return problems;
	}

	#next(): { bytes: Uint8Array; to: Address } | undefined {
		while (this.#read < this.#net.sent.length) {
			const packet = this.#net.sent[this.#read++];
			if (packet?.from !== OURS) continue;
			const text = new TextDecoder().decode(packet.bytes);
			if (this.#seen.has(text)) continue;
			this.#seen.add(text);
			return packet;
		}
		return undefined;
	}

	/** Time goes by in small steps, so that what waits for promises happens in between. */
	async #pass(ms: number): Promise<void> {
		for (let left = ms; left > 0; left -= 100) {
			await new Promise((resolve) => setImmediate(resolve));
			this.#clock.runFor(Math.min(100, left));
		}
		for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
	}
}
