import type { OutboundTrunk } from "@trunkline/contracts";
import { type ConfigStore, effectiveSettings, escapeUser, type RegistrationRecord, type RegistrationStore, tlsOf } from "@trunkline/domain";
import { type Address, type Destination, destinationOf, type RegisterOptions, type RegistrationEvent } from "@trunkline/sip";
import { withTlsOf } from "./tls-target.ts";

export interface RegistrationsOptions {
	nodeId: string;
	/** the deployment's own */
	projectId: string;
	configStore: Pick<ConfigStore, "registeringTrunks">;
	store: RegistrationStore;
	userAgent: {
		register(registration: string, target: Address, options: RegisterOptions): void;
		unregister(registration: string): void;
	};
	/** rejects in words */
	resolve(destination: Destination): Promise<readonly Address[]>;
	/** ms since the epoch */
	now(): number;
	/** ms; ends early when told */
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	log: { info?(fields: Record<string, unknown>, message: string): void; warn(fields: Record<string, unknown>, message: string): void };
	/** how often trunks and leases are looked at, ms; 15,000 */
	pollMs?: number;
	/** how long a lease holds, ms; a node that is gone is followed by another within this and one poll; 60,000 */
	leaseMs?: number;
}

/** Longer than any registrar keeps a binding that nobody refreshes; after it the item says nothing to anybody. */
const KEPT_MS = 7 * 86_400_000;
/** A REGISTER that takes the binding away is waited for so long, ms. */
const UNREGISTER_MS = 2_000;
/** After a name that did not resolve, ms. */
const RESOLVE_AGAIN_MS = 30_000;
const AT_A_TIME = 20;

interface Held {
	readonly projectId: string;
	readonly trunk: OutboundTrunk;
	/** of the user agent's registration; a new one each time it begins */
	readonly name: string;
	record: RegistrationRecord;
	/** tries so far that failed: which of the registrar's addresses is next */
	failures: number;
	/** no target yet: resolve again then */
	resolveAt: number | undefined;
}

/**
 * The outbound registrations of one node: of each trunk that registers one node of the region holds the lease, REGISTERs from the socket that its
 * calls go out from, and says how it goes.
 */
export class Registrations {
	readonly #options: RegistrationsOptions;
	readonly #pollMs: number;
	readonly #leaseMs: number;
	readonly #stopping = new AbortController();
	/** by project and trunk */
	readonly #held = new Map<string, Held>();
	/** names whose last REGISTER is out → who waits for it */
	readonly #leaving = new Map<string, () => void>();
	#next = 0;
	#loop: Promise<void> | undefined;
	#stopped: Promise<void> | undefined;

	constructor(options: RegistrationsOptions) {
		this.#options = options;
		this.#pollMs = options.pollMs ?? 15_000;
		this.#leaseMs = options.leaseMs ?? 60_000;
	}

	start(): void {
		this.#loop ??= this.#run();
	}

	/** Takes all bindings away and gives the leases up, so that another node goes on; at most two seconds and a write. Idempotent. */
	stop(): Promise<void> {
		this.#stopped ??= this.#stop();
		return this.#stopped;
	}

	async #stop(): Promise<void> {
		this.#stopping.abort();
		await this.#loop;
		await Promise.all([...this.#held].map(([key, held]) => this.#giveUp(key, held)));
	}

	/** Those that this node holds. */
	list(): RegistrationRecord[] {
		return [...this.#held.values()].map(({ record }) => ({ ...record }));
	}

	/** From the user agent. */
	onEvent(name: string, event: RegistrationEvent): void {
		if (event.state === "unregistered") {
			this.#leaving.get(name)?.();
			this.#leaving.delete(name);
			return;
		}
		const held = [...this.#held.values()].find((one) => one.name === name);
		if (held === undefined) return;
		if (event.state === "due") return void this.#register(held);
		held.failures = event.state === "registered" ? 0 : held.failures + 1;
		held.record = { ...withoutOutcome(held.record), ...outcomeOf(event, this.#options.now()) };
		if (event.state === "failed") {
			const { projectId, trunk } = held;
			this.#options.log.warn(
				{ projectId, trunkId: trunk.trunkId, cause: event.cause, status: event.status, reason: event.message },
				"a registration failed",
			);
		}
		void this.#renew(held);
	}

	/** One look at trunks and leases; `start` does it again and again. Never rejects. */
	async look(): Promise<void> {
		try {
			const wanted = await this.#options.configStore.registeringTrunks();
			const keys = new Set(wanted.map(({ projectId, trunk }) => keyOf(projectId, trunk.trunkId)));
			const gone = [...this.#held].filter(([key]) => !keys.has(key));
			await Promise.all(gone.map(([key, held]) => this.#giveUp(key, held)));
			for (let i = 0; i < wanted.length && !this.#stopping.signal.aborted; i += AT_A_TIME) {
				await Promise.all(wanted.slice(i, i + AT_A_TIME).map(({ projectId, trunk }) => this.#attend(projectId, trunk)));
			}
		} catch (error) {
			this.#options.log.warn({ err: error }, "the trunks that register could not be read");
			await this.#leaveLapsed();
		}
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			await this.look();
			await this.#options.sleep(this.#pollMs, signal);
		}
	}

	async #attend(projectId: string, trunk: OutboundTrunk): Promise<void> {
		const key = keyOf(projectId, trunk.trunkId);
		const held = this.#held.get(key);
		if (held === undefined) return this.#take(key, projectId, trunk);
		if (held.trunk.version !== trunk.version) {
			// Its user, password or registrar may be others now.
			await this.#giveUp(key, held);
			return this.#take(key, projectId, trunk);
		}
		if (!(await this.#renew(held))) return this.#lose(key, held);
		if (held.resolveAt !== undefined && held.resolveAt <= this.#options.now()) await this.#register(held);
	}

	async #take(key: string, projectId: string, trunk: OutboundTrunk): Promise<void> {
		const { store, nodeId, now, log } = this.#options;
		try {
			const other = await store.getRegistration(projectId, trunk.trunkId);
			if (other !== undefined && other.nodeId !== nodeId && other.leaseUntil > now()) return;
			const at = now();
			const record: RegistrationRecord = {
				...{ projectId, trunkId: trunk.trunkId, nodeId, state: "registering", registrar: registrarOf(trunk) },
				...{ leaseUntil: at + this.#leaseMs, updatedAt: at, expiresAtSeconds: expiry(at) },
			};
			if (!(await store.holdRegistration(record, at)) || this.#stopping.signal.aborted) return;
			this.#next += 1;
			const held: Held = { projectId, trunk, name: `registration-${this.#next}`, record, failures: 0, resolveAt: undefined };
			this.#held.set(key, held);
			await this.#register(held);
		} catch (error) {
			log.warn({ err: error, projectId, trunkId: trunk.trunkId }, "a registration's lease could not be taken");
		}
	}

	/** False: another node has it. What the store cannot say is true until the lease is over. */
	async #renew(held: Held): Promise<boolean> {
		const { store, now, log } = this.#options;
		const at = now();
		const record = { ...held.record, leaseUntil: at + this.#leaseMs, updatedAt: at, expiresAtSeconds: expiry(at) };
		try {
			if (!(await store.holdRegistration(record, at))) return false;
			// Meanwhile the registrar may have told something.
			const { leaseUntil, updatedAt, expiresAtSeconds } = record;
			held.record = { ...held.record, leaseUntil, updatedAt, expiresAtSeconds };
			return true;
		} catch (error) {
			log.warn({ err: error, trunkId: held.trunk.trunkId }, "a registration's lease could not be renewed");
			return held.record.leaseUntil > now();
		}
	}

	/** Leases that could not be renewed for so long that another node may have them. */
	async #leaveLapsed(): Promise<void> {
		for (const [key, held] of [...this.#held]) if (held.record.leaseUntil <= this.#options.now()) await this.#lose(key, held);
	}

	async #register(held: Held): Promise<void> {
		const { resolve, userAgent, now } = this.#options;
		const { trunk, name } = held;
		const { registration } = effectiveSettings(trunk.settings);
		const user = registration.user ?? trunk.authUsername;
		const registrar = registrarOf(trunk);
		held.resolveAt = undefined;
		try {
			const destination = destinationOf(registrar, trunk.transport === "AUTO" ? undefined : trunk.transport);
			if (destination === undefined) throw new Error(`"${registrar}" is not host or host:port`);
			if (user === "") throw new Error("the trunk names no user to register: neither settings.registration.user nor an auth user name");
			const targets = await resolve(destination);
			const target = targets[held.failures % targets.length];
			if (target === undefined || !this.#isHeld(held)) return;
			const host = destination.host.includes(":") ? `[${destination.host}]` : destination.host;
			userAgent.register(name, withTlsOf(target, tlsOf(trunk.settings, held.projectId, this.#options.projectId)), {
				// RFC 3261 §10.2: the domain, without a user
				registrar: `sip:${host}${destination.port === undefined ? "" : `:${destination.port}`}`,
				aor: `sip:${escapeUser(user)}@${host}`,
				user,
				expiresSeconds: registration.expiresSeconds,
				...(trunk.authUsername === "" ? {} : { auth: { username: trunk.authUsername, password: trunk.authPassword } }),
			});
		} catch (error) {
			const message = error instanceof Error ? error.message : String(error);
			held.resolveAt = now() + RESOLVE_AGAIN_MS;
			held.record = { ...withoutOutcome(held.record), state: "failed", message, retryAt: held.resolveAt };
			await this.#renew(held);
		}
	}

	/** The lease is somebody else's: only our own binding goes. */
	async #lose(key: string, held: Held): Promise<void> {
		this.#held.delete(key);
		await this.#unregister(held.name);
	}

	async #giveUp(key: string, held: Held): Promise<void> {
		await this.#lose(key, held);
		const { store, nodeId, log } = this.#options;
		try {
			await store.releaseRegistration(held.projectId, held.trunk.trunkId, nodeId);
		} catch (error) {
			log.warn({ err: error, trunkId: held.trunk.trunkId }, "a registration's lease could not be given up; it runs out by itself");
		}
	}

	async #unregister(name: string): Promise<void> {
		const over = new AbortController();
		const left = new Promise<void>((resolve) => this.#leaving.set(name, resolve));
		this.#options.userAgent.unregister(name);
		// One that never began has nothing to take away and tells nothing.
		await Promise.race([left, this.#options.sleep(UNREGISTER_MS, over.signal)]);
		over.abort();
		this.#leaving.delete(name);
	}

	#isHeld(held: Held): boolean {
		return this.#held.get(keyOf(held.projectId, held.trunk.trunkId)) === held;
	}
}

function registrarOf(trunk: OutboundTrunk): string {
	return effectiveSettings(trunk.settings).registration.registrar ?? trunk.address;
}

function outcomeOf(event: Extract<RegistrationEvent, { state: "registered" | "failed" }>, now: number): Partial<RegistrationRecord> {
	if (event.state === "registered") return { state: "registered", contact: event.contact, registeredUntil: event.until };
	const { message, status, until, retryAt } = event;
	return {
		state: "failed",
		message,
		retryAt,
		...(status === undefined ? {} : { sipStatus: status }),
		...(until > now ? { registeredUntil: until } : {}),
	};
}

function withoutOutcome(record: RegistrationRecord): RegistrationRecord {
	const { projectId, trunkId, nodeId, leaseUntil, state, registrar, updatedAt, expiresAtSeconds } = record;
	return { projectId, trunkId, nodeId, leaseUntil, state, registrar, updatedAt, expiresAtSeconds };
}

function expiry(now: number): number {
	return Math.ceil((now + KEPT_MS) / 1_000);
}

function keyOf(projectId: string, trunkId: string): string {
	return JSON.stringify([projectId, trunkId]);
}
