import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { TrunkSettings } from "@trunkline/contracts";
import { type Local, readConfig, startLocal } from "@trunkline/local";
import type { Logger, Metrics } from "@trunkline/observability";
import { Phone } from "@trunkline/phone";
import { AccessToken, RoomServiceClient, SipClient } from "livekit-server-sdk";
import { type Access, disposeParticipants, Participant } from "./participant.ts";

/**
 * The whole system as `npm start` runs it, on free ports and in a temporary data directory. With LIVEKIT_URL, LIVEKIT_API_KEY and
 * LIVEKIT_API_SECRET set, calls join that LiveKit server instead of the embedded one.
 */
export class Testbed {
	readonly local: Local;
	/** the rooms' address and keys; also the API's keys */
	readonly access: Access;
	readonly sip: SipClient;
	readonly rooms: RoomServiceClient;
	readonly #dataDir: string;
	readonly #open: (() => Promise<void>)[] = [];
	/** that the test has in rooms */
	#participants = 0;

	/** `told`: where lines and measurements go, in the place of the process's own output. */
	static async start(settings: Record<string, string> = {}, told: { log?: Logger; metrics?: Metrics } = {}): Promise<Testbed> {
		const dataDir = mkdtempSync(join(tmpdir(), "trunkline-e2e-"));
		const outside = Object.fromEntries(["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"].map((name) => [name, process.env[name]]));
		const config = readConfig(
			{
				...outside,
				PORT: "0",
				SIP_PORT: "0",
				RTP_PORT_RANGE: "21000-29000",
				// Threads take a second to start; the same tests run with them, too.
				MEDIA_WORKERS: process.env["MEDIA_WORKERS"] ?? "0",
				DATA_DIR: dataDir,
				LOG_LEVEL: process.env["LOG_LEVEL"] ?? "error",
				...settings,
			},
			process.cwd(),
		);
		const local = await startLocal(
			{ ...config, mediaTimeoutMs: { first: 2_000, later: 1_000 }, registrationPollMs: 200 },
			told.log,
			told.metrics,
		);
		return new Testbed(local, { url: config.livekitUrl ?? local.url, apiKey: config.apiKey, apiSecret: config.apiSecret }, dataDir);
	}

	private constructor(local: Local, access: Access, dataDir: string) {
		this.local = local;
		this.access = access;
		this.#dataDir = dataDir;
		this.sip = new SipClient(local.url, access.apiKey, access.apiSecret);
		this.rooms = new RoomServiceClient(local.url, access.apiKey, access.apiSecret);
	}

	/** `sip:user@` this system */
	uri(user: string): string {
		return `sip:${user}@127.0.0.1:${this.local.sipPort}`;
	}

	async phone(options: NonNullable<Parameters<typeof Phone.open>[0]> = {}): Promise<Phone> {
		const phone = await Phone.open({ host: "127.0.0.1", ...options });
		this.#open.push(() => phone.close());
		return phone;
	}

	async participant(roomName: string, identity: string, kind?: "ingress"): Promise<Participant> {
		const participant = await Participant.join(this.access, roomName, identity, kind);
		this.#participants += 1;
		this.#open.push(async () => {
			this.#participants -= 1;
			await participant.leave();
		});
		return participant;
	}

	/** where the system under test keeps its files */
	get dataDir(): string {
		return this.#dataDir;
	}

	/** A trunk for the number and a rule into the room; gives their ids. */
	async inbound(number: string, roomName: string): Promise<{ trunkId: string; ruleId: string }> {
		const trunk = await this.sip.createSipInboundTrunk(`trunk ${number}`, [number]);
		const rule = await this.sip.createSipDispatchRule(
			{ type: "direct", roomName, pin: "" },
			{ name: `rule ${number}`, trunkIds: [trunk.sipTrunkId] },
		);
		return { trunkId: trunk.sipTrunkId, ruleId: rule.sipDispatchRuleId };
	}

	/** An outbound trunk to a phone of the test. */
	async outbound(phone: Phone, options: { authUsername?: string; authPassword?: string } = {}): Promise<string> {
		const trunk = await this.sip.createSipOutboundTrunk("out", `127.0.0.1:${phone.port}`, ["+15550100"], { transport: 0, ...options });
		return trunk.sipTrunkId;
	}

	/** What a trunk says beyond LiveKit's fields. */
	async settings(trunkId: string, settings: TrunkSettings): Promise<void> {
		const response = await fetch(`${this.local.url}/v1/trunks/${trunkId}/settings`, {
			method: "PUT",
			headers: { authorization: `Bearer ${await this.#adminToken()}`, "content-type": "application/json" },
			body: JSON.stringify(settings),
		});
		if (!response.ok) throw new Error(`the settings were answered ${response.status}: ${await response.text()}`);
	}

	/** How the trunk's registration at its carrier goes. */
	async registration(trunkId: string): Promise<string> {
		const headers = { authorization: `Bearer ${await this.#adminToken()}` };
		const response = await fetch(`${this.local.url}/v1/trunks/${trunkId}/registration`, { headers });
		return ((await response.json()) as { state: string }).state;
	}

	/** Phones and participants of one test go; what the system still holds then is a leak. */
	async clear(): Promise<void> {
		for (let close = this.#open.pop(); close !== undefined; close = this.#open.pop()) await close();
	}

	/**
	 * Waits until no call, dialog or RTP port is left, and of participants and peer connections no more than the test's own. Transactions stay for
	 * 32 s, rooms for 20 s.
	 */
	async idle(withinMs = 10_000): Promise<void> {
		const left = (): number => {
			const { node, rooms } = this.local.stats();
			const inRooms = rooms === undefined ? 0 : rooms.participants + rooms.peerConnections - 2 * this.#participants;
			return node.calls + node.legs + node.dialogs + node.rtpPorts + Math.max(0, inRooms);
		};
		await until(
			() => left() === 0,
			() => `nothing to be left of the calls: ${JSON.stringify(this.local.stats())}`,
			withinMs,
		);
		await until(async () => (await this.liveRecords()) === 0, "no record to say that a call is still live", withinMs);
	}

	async #adminToken(): Promise<string> {
		const token = new AccessToken(this.access.apiKey, this.access.apiSecret);
		token.addSIPGrant({ admin: true });
		return token.toJwt();
	}

	/** Call records that have not ended. */
	async liveRecords(): Promise<number> {
		const response = await fetch(`${this.local.url}/v1/calls?state=live`, {
			headers: { authorization: `Bearer ${await this.#adminToken()}` },
		});
		if (!response.ok) throw new Error(`/v1/calls answered ${response.status}: ${await response.text()}`);
		return ((await response.json()) as { calls: unknown[] }).calls.length;
	}

	async close(): Promise<void> {
		await this.clear();
		await this.local.close();
		await disposeParticipants();
		rmSync(this.#dataDir, { recursive: true, force: true });
	}
}

/** Polls; the end-to-end world has no clock of ours to wait on. */
export async function until(condition: () => boolean | Promise<boolean>, what: string | (() => string), withinMs = 10_000): Promise<void> {
	const deadline = performance.now() + withinMs;
	while (!(await condition())) {
		if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${typeof what === "string" ? what : what()}`);
		await delay(10);
	}
}
