import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { newId } from "@trunkline/contracts";
import { newCallId, type RegistrationRecord } from "@trunkline/domain";
import { DEFAULT_SESSION_TIMER, type DefenceCounts } from "@trunkline/sip";
import { decideWith } from "./call/decide.ts";
import { mayCallWith } from "./call/fraud.ts";
import { Identities } from "./call/identities.ts";
import { InboundCall } from "./call/inbound-call.ts";
import { OutboundCall } from "./call/outbound-call.ts";
import { outboundPlan } from "./call/outbound-plan.ts";
import type { LiveCall } from "./call/ports.ts";
import type { CallDeps } from "./call/runner.ts";
import { secondLegs } from "./call/second-leg.ts";
import { TrunkLimits } from "./call/trunk-limits.ts";
import { systemClock } from "./health/clock.ts";
import { boundLog, type Metrics, noMetrics } from "@trunkline/observability";
import type { MediaEngine } from "./engine/engine.ts";
import { Gauges } from "./health/gauges.ts";
import { Lateness } from "./health/lateness.ts";
import { RtpMediaPort } from "./media/media-port.ts";
import { LiveKitRoomConnector } from "./room/livekit-room-connector.ts";
import { type NodeRelay, openRelay, type RelayedNode } from "./relay/node-relay.ts";
import { RELAY_CONNECTION } from "./relay/relay.ts";
import { NodeRegion } from "./region.ts";
import type { LiveKitAccess, MediaNodeOptions, NodeStats } from "./node-options.ts";
import {
	commandsFor,
	countsFor,
	hashes,
	inboundTrunksFor,
	pause,
	recovering,
	roomTokens,
	sharedNowOf,
	startEngine,
	strikeFor,
} from "./node-parts.ts";
import { contactOf, familiesOf, openSip } from "./sip-options.ts";
import { NodeTraces } from "./trace/node-traces.ts";
import type { SipTransport } from "./transport/sip-transport.ts";
import { AllowedSources } from "./ua/allowed-sources.ts";
import { Guard } from "./ua/guard.ts";
import { SipResolver } from "./ua/dns.ts";
import { Registrations } from "./ua/registrations.ts";
import { type Refusal, SipUserAgent } from "./ua/user-agent.ts";
import type { Commands } from "./worker/commands.ts";
import { Intake } from "./worker/intake.ts";
import { Transfers } from "./worker/transfers.ts";

export type { MediaNodeOptions, NodeStats } from "./node-options.ts";

/** Five packets late: more than jitter buffers make up for, and more than a machine that others share is late now and then. */
const OVERLOAD_MS = 100;

/** One media node: SIP, RTP, rooms and the calls between them. Built here and nowhere else. */
export class MediaNode {
	readonly nodeId: string;
	readonly #options: MediaNodeOptions;
	readonly #region: NodeRegion;
	/** passes requests on to peers; undefined: without a registry or the fleet's secret */
	readonly relay: NodeRelay | undefined;
	/** the node as its relay sees it */
	readonly #relayed: RelayedNode = {
		load: () => ({
			calls: this.#calls.size + this.#secondLegs,
			maxCalls: this.#options.maxCalls,
			// Also a node that drains: its load balancer goes on sending to it, as ECS ends whom a load balancer finds unwell (docs/fleet.md).
			full: this.#refusal() !== undefined,
		}),
		toSource: (bytes, to) => this.#transport.send(bytes, to),
		passedOn: (request) => this.#userAgent.passedOn(request),
	};
	readonly #calls = new Map<string, LiveCall>();
	readonly #identities = new Identities();
	readonly #trunkLimits = new TrunkLimits();
	readonly #lateness: Lateness;
	readonly #media: RtpMediaPort | MediaEngine;
	readonly #engine: MediaEngine | undefined;
	readonly #userAgent: SipUserAgent;
	readonly #resolver: SipResolver;
	readonly #sources: AllowedSources;
	readonly #guard: Guard;
	readonly #transport: SipTransport;
	readonly #intake: Intake;
	readonly #commands: Commands | undefined;
	#gauges: Gauges | undefined;
	readonly #transfers: Transfers;
	readonly #registrations: Registrations | undefined;
	readonly #traces: NodeTraces;
	#draining = false;
	/** that are about to become calls */
	#secondLegs = 0;
	/** calls that still come are hung up at once */
	#hangingUp = false;
	#intakeStopped: Promise<void> | undefined;
	#closing: Promise<void> | undefined;
	readonly #whenEmpty = new Set<() => void>();

	/** Binds the SIP ports; rejects with the system's error when one cannot be had, with a message for people when a TLS file is of no use. */
	static async start(options: MediaNodeOptions): Promise<MediaNode> {
		let node: MediaNode | undefined;
		let transport: SipTransport | undefined;
		let relay: NodeRelay | undefined;
		const engine = await startEngine(options);
		try {
			transport = await openSip(options.sip, systemClock(), options.log, () => (node === undefined ? undefined : node.#userAgent));
			const nodeId = options.nodeId ?? newId("ND_", randomBytes);
			relay = await openRelay(options, nodeId, () => (node === undefined ? undefined : node.#relayed));
			node = new MediaNode({ ...options, nodeId }, transport, engine, relay);
		} catch (error) {
			await Promise.all([transport?.close(), engine?.close(), relay?.close()]);
			throw error;
		}
		// Not waited for: until the list is there strangers are answered, as without one.
		void node.#sources.start();
		node.#intake.start();
		relay?.start();
		const { metrics } = options;
		if (metrics !== undefined) node.#gauges = node.#measured(metrics);
		node.#commands?.start();
		node.#registrations?.start();
		return node;
	}

	private constructor(
		options: MediaNodeOptions & { nodeId: string },
		transport: SipTransport,
		engine: MediaEngine | undefined,
		relay: NodeRelay | undefined,
	) {
		this.nodeId = options.nodeId;
		this.#options = options;
		this.relay = relay;
		this.#region = new NodeRegion(options.region, options.peerRegions);
		this.#lateness = new Lateness(options.overloadMs ?? OVERLOAD_MS);
		this.#transport = transport;
		this.#engine = engine;
		this.#media = engine ?? new RtpMediaPort(options.rtp);
		const clock = systemClock();
		const { region, metrics = noMetrics } = options;
		const log = boundLog(options.log, ["info", "warn", "error"], () => ({ nodeId: this.nodeId, region }));
		const livekitOf = async (projectId: string): Promise<LiveKitAccess> => (await options.projects?.livekit(projectId)) ?? options.livekit;
		const mayCall = mayCallWith(options.projects?.policy);
		this.#transfers = new Transfers({ mayCall, store: options.transferStore, call: (callId) => this.#calls.get(callId), log });
		const contact = contactOf(options.sip, transport);
		const projectFor = options.projects?.forInbound ?? (async () => options.projectId);
		const { nodeId } = this;
		this.#traces = new NodeTraces({ ...options, traces: options.traces, contact, projectFor, nodeId, now: clock.now, random: randomBytes });
		const { callStore } = this.#traces;
		const deps: CallDeps = {
			clock,
			media: this.#media,
			rooms: options.rooms ?? engine ?? new LiveKitRoomConnector(recovering(options)),
			backToBack: engine && (() => engine.backToBack()),
			calls: callStore,
			projectId: options.projectId,
			roomUrl: async (projectId) => (await livekitOf(projectId)).url,
			token: roomTokens(livekitOf),
			nodeId: this.nodeId,
			region: options.region,
			recordsDigits: options.recordsDigits,
			qualityEveryMs: options.qualityEveryMs,
			metrics: options.metrics,
			recordings: options.recordings,
			mediaTimeoutMs: options.mediaTimeoutMs ?? { first: 30_000, later: 15_000 },
			random: randomBytes,
			mayCall,
			...(relay && { localTag: (callId: string) => callId + relay.tagSuffix }),
			admit: options.projects?.admit,
			trunkLimits: this.#trunkLimits,
			log,
			onTransfer: (transferIds, outcome) => this.#transfers.settle(transferIds, outcome),
			onOver: (callId) => this.#onOver(callId),
		};
		const decide = decideWith({
			here: this.#region,
			configStore: options.configStore,
			callStore,
			projectFor,
			strict: options.strictDispatch,
			hashes,
			nonceSecret: options.nonceSecret ?? randomBytes(32),
			random: randomBytes,
			now: clock.now,
			identities: this.#identities,
			replaceable: (replaces) => {
				for (const call of this.#calls.values()) {
					const replaceable = call.replaceable?.(replaces);
					if (replaceable !== undefined) return replaceable;
				}
				return undefined;
			},
			trunkLimits: this.#trunkLimits,
			log,
		});
		this.#sources = new AllowedSources({ trunks: inboundTrunksFor(options), log });
		this.#guard = new Guard({
			sources: this.#sources,
			unknownSources: options.unknownSources ?? "auto",
			// A carrier that we are registered with is to call us, whatever lists say; its calls still need a trunk.
			live: (host) => this.#userAgent.needsConnectionWith(host),
			now: clock.now,
			log,
		});
		this.#resolver = new SipResolver({
			...(options.sip.dnsServers === undefined ? {} : { servers: options.sip.dnsServers }),
			families: familiesOf(options.sip),
			transports: () => ["UDP", "TCP", "TLS"],
			now: clock.now,
			random: Math.random,
		});
		this.#userAgent = new SipUserAgent({
			guard: this.#guard,
			endpoint: {
				...(relay && { tagSuffix: relay.tagSuffix, handOver: (request, arrival) => relay.handOver(request, arrival) }),
				userAgent: "Trunkline",
				contact,
				random: randomBytes,
				hashes,
				allow: ["NOTIFY", "UPDATE", "INFO"],
				// In the Allow of those calls alone whose trunk has REFER followed.
				unlisted: ["REFER"],
				supported: ["100rel", "norefersub", "replaces", "timer"],
				sessionTimer: DEFAULT_SESSION_TIMER,
			},
			clock,
			resolve: (destination, signal) => this.#resolver.resolve(destination, signal),
			send: (bytes, to) => (to.connection?.startsWith(RELAY_CONNECTION) === true ? relay?.send(bytes, to) : transport.send(bytes, to)),
			onInvite: (invite, request, leg) => {
				const call = new InboundCall(newCallId(options.region, randomBytes), deps, invite, leg, async (given, callId) => {
					const outcome = await decide(given, request, callId);
					// Cancelled meanwhile: nobody would release it later.
					if (!this.#calls.has(callId)) this.#release(callId);
					const strike = strikeFor(outcome.decision);
					if (strike !== undefined) this.#guard.strike(given.source.address, strike);
					this.#region.decided(outcome, given.to.user, log);
					return outcome;
				});
				this.#run(call);
				return (event) => call.onLeg(event);
			},
			observe: (direction, bytes, remote) => this.#traces.observe(direction, bytes, remote),
			onRefused: (invite, refusal) => this.#traces.refused(invite, refusal),
			onRegistration: (name, event) => this.#registrations?.onEvent(name, event),
			refusal: () => this.#refusal(),
			onTurnedAway: (why) => metrics.record("CallsTurnedAway", 1, { why }),
			log,
		});
		const { registrationStore } = options;
		if (registrationStore !== undefined) {
			this.#registrations = new Registrations({
				nodeId: this.nodeId,
				projectId: options.projectId,
				configStore: this.#region.registeringIn(options.configStore),
				store: registrationStore,
				userAgent: this.#userAgent,
				resolve: (destination) => this.#resolver.resolve(destination),
				now: clock.now,
				sleep: pause,
				...(options.registrationPollMs === undefined ? {} : { pollMs: options.registrationPollMs }),
				log,
			});
		}
		deps.dialSecondLeg = secondLegs({
			deps,
			userAgent: this.#userAgent,
			configStore: options.configStore,
			keepsFrom: (trunk) => this.#region.keepsFrom(trunk),
			refusal: () => (this.#free() <= 0 ? "the media node is at its limit of calls" : undefined),
			keepPlace: () => {
				this.#secondLegs += 1;
				return () => {
					this.#secondLegs -= 1;
				};
			},
			run: (call) => this.#run(call),
		});
		this.#intake = new Intake({
			queue: options.dialQueue,
			calls: callStore,
			nodeId: this.nodeId,
			region: options.region,
			refuses: (record) => this.#region.refuses(record),
			room: () => (options.busy?.() === true || this.#held() !== undefined ? 0 : this.#free()),
			run: (record, dialled) => this.#run(new OutboundCall(deps, record, outboundPlan(record, log), this.#userAgent, dialled)),
			now: sharedNowOf(options),
			sleep: pause,
			metrics,
			log,
		});
		this.#commands = commandsFor(options, { nodeId, call: (callId) => this.#calls.get(callId), transfers: this.#transfers, log });
	}

	/** Is a call this node's, or about to be? */
	has(callId: string): boolean {
		return this.#calls.has(callId) || this.#intake.has(callId);
	}

	get sipPort(): number {
		return this.#transport.port;
	}

	/** undefined: no certificate, no listener */
	get sipTlsPort(): number | undefined {
		return this.#transport.tlsPort;
	}

	/** Reads TLS files that have changed at once, and not within seconds. */
	refreshCertificates(): Promise<void> {
		return this.#transport.refreshCertificates();
	}

	stats(): NodeStats {
		const registrations = this.registrations().filter(({ state }) => state === "registered").length;
		const { workers: mediaWorkers, workersLost: mediaWorkersLost } = this.#engine?.stats() ?? { workers: 0, workersLost: 0 };
		const { lateFrames } = this.#engine?.stats() ?? (this.#media as RtpMediaPort);
		const rtpPorts = this.#media.portsInUse;
		return { calls: this.#calls.size, rtpPorts, mediaWorkers, mediaWorkersLost, lateFrames, registrations, ...this.#userAgent.stats() };
	}

	/** Outbound registrations that are this node's. */
	registrations(): RegistrationRecord[] {
		return this.#registrations?.list() ?? [];
	}

	/** where peers send what they pass on */
	get relayAddress(): NodeRelay["address"] | undefined {
		return this.relay?.address;
	}

	/** INVITEs since the start whose calls must not be in this region. */
	get turnedAway(): number {
		return this.#region.turnedAway;
	}

	/** What the defence has dropped and banned since the start. */
	defence(): DefenceCounts {
		return this.#guard.counts();
	}

	/** As its peers and the API are told. */
	load(): { calls: number; maxCalls: number; lateMs: number } {
		const lateMs = Math.max(this.#lateness.medianMs, this.#engine?.stats().lateMs ?? 0);
		return { calls: this.#calls.size + this.#secondLegs, maxCalls: this.#options.maxCalls, lateMs };
	}

	get draining(): boolean {
		return this.#draining;
	}

	/**
	 * Takes no more calls: INVITE and OPTIONS get 503, no dial request is taken. Resolves with true when the last call is over, or with false after
	 * `graceMs`; calls go on meanwhile.
	 */
	async drain(graceMs: number): Promise<boolean> {
		void this.#stopTaking();
		return this.#emptyWithin(graceMs);
	}

	/** Hangs up every call, waits up to `withinMs` for their BYEs and records, then closes everything. Every caller gets the same end. */
	close(withinMs: number): Promise<void> {
		this.#closing ??= this.#close(withinMs);
		return this.#closing;
	}

	async #close(withinMs: number): Promise<void> {
		const intake = this.#stopTaking();
		const unregistered = this.#registrations?.stop();
		this.#hangingUp = true;
		for (const call of [...this.#calls.values()]) call.dispatch({ type: "shutdown" });
		if (!(await this.#emptyWithin(withinMs)))
			this.#options.log.warn({ calls: this.#calls.size }, "calls were not over in time and are cut off");
		// Until here, so that a call that goes on during a drain can still be hung up.
		await Promise.race([Promise.all([intake, this.#commands?.stop(), this.#transfers.settled()]), delay(500, undefined, { ref: false })]);
		// A name that is being looked up may take longer than people wait for the end; the registrar forgets us by itself.
		await Promise.race([unregistered, delay(3_000, undefined, { ref: false })]);
		this.#sources.stop();
		this.#lateness.stop();
		this.#gauges?.stop();
		this.#userAgent.close();
		this.#resolver.close();
		await Promise.all([this.#transport.close(), this.#engine?.close(), this.relay?.close(), this.#traces.close()]);
	}

	#stopTaking(): Promise<void> {
		this.#draining = true;
		// The registrar is to send its calls to the node that takes over.
		void this.#registrations?.stop();
		this.#intakeStopped ??= this.#intake.stop();
		return this.#intakeStopped;
	}

	async #emptyWithin(ms: number): Promise<boolean> {
		if (this.#calls.size === 0) return true;
		const late = new AbortController();
		let emptied = (): void => {};
		const empty = new Promise<boolean>((resolve) => {
			emptied = () => resolve(true);
			this.#whenEmpty.add(emptied);
		});
		const timeout = delay(ms, false, { signal: late.signal }).catch(() => false);
		try {
			return await Promise.race([empty, timeout]);
		} finally {
			this.#whenEmpty.delete(emptied);
			late.abort();
		}
	}

	#run(call: LiveCall): void {
		this.#calls.set(call.callId, call);
		call.dispatch({ type: "start" });
		if (this.#hangingUp) call.dispatch({ type: "shutdown" });
	}

	#onOver(callId: string): void {
		this.#calls.delete(callId);
		this.#release(callId);
		if (this.#calls.size > 0) return;
		for (const emptied of this.#whenEmpty) emptied();
	}

	/** how many more calls the node takes; those that it is about to dial have their places already */
	#free(): number {
		return this.#options.maxCalls - this.#calls.size - this.#intake.claiming - this.#secondLegs;
	}

	#overloaded(): boolean {
		return (this.#calls.size > 0 && this.#lateness.overloaded) || this.#engine?.overloaded === true;
	}

	#measured(metrics: Metrics): Gauges {
		const freeSlots = (): number => (this.#draining || this.#overloaded() ? 0 : Math.max(0, this.#free()));
		const lateness = () => ({
			lateMs: Math.max(this.#lateness.medianMs, this.#engine?.stats().lateMs ?? 0),
			lateFrames: this.stats().lateFrames,
		});
		const read = () => ({ ...countsFor([...this.#calls.values()], this.defence()), freeSlots: freeSlots(), ...lateness() });
		return new Gauges({ metrics, read });
	}

	/** What a call has of the node's. */
	#release(callId: string): void {
		this.#identities.release(callId);
		this.#trunkLimits.release(callId);
	}

	#refusal(): Refusal | undefined {
		if (!this.#draining && this.#free() <= 0) return { why: "full", reason: "At Capacity", retryAfterSeconds: 10 };
		return this.#held();
	}

	/** Why it takes no calls though it may have room. */
	#held(): Refusal | undefined {
		if (this.#draining) return { why: "draining", reason: "Shutting Down", retryAfterSeconds: 30 };
		if (this.#options.silent?.() === true) return { why: "late", reason: "Out of Touch", retryAfterSeconds: 5 };
		// Before the calls that there are suffer for one more.
		return this.#overloaded() ? { why: "late", reason: "Overloaded", retryAfterSeconds: 5 } : undefined;
	}
}
