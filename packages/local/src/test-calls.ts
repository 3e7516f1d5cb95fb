import { decodeG711, tone } from "@trunkline/audio";
import type { TestCall, TestCallRequest } from "@trunkline/contracts";
import { type ConfigStore, DomainError, escapeUser } from "@trunkline/domain";
import type { Logger } from "@trunkline/observability";
import { Phone } from "@trunkline/phone";

const FROM = "+15550123";
const TALK_MS = 60_000;
/** Nobody answers, or no rule takes it: the caller is not left ringing. */
const GIVE_UP_MS = 30_000;
const MAX_AT_ONCE = 4;
const RATE = 8_000;
/** what is heard comes back after so many frames of 20 ms: late enough not to be taken for an echo of the line */
const ECHO_FRAMES = 60;
const TUNE_HZ = [523.25, 659.26, 783.99, 659.26, 523.25] as const;
const NOTE_MS = 400;

/** The telephone of `npm start` that calls in when somebody asks for it, so that one person alone hears a call. */
export class TestCalls {
	readonly #configStore: ConfigStore;
	readonly #target: { host: string; sipPort: number };
	readonly #log: Logger;
	readonly #phones = new Set<Phone>();

	constructor(options: { configStore: ConfigStore; target: { host: string; sipPort: number }; log: Logger }) {
		this.#configStore = options.configStore;
		this.#target = options.target;
		this.#log = options.log;
	}

	/** Begins a call, and gives where to; how it goes is on the call's record. Throws DomainError when nothing leads to the room. */
	async place(projectId: string, { room, to }: TestCallRequest): Promise<TestCall> {
		if (this.#phones.size >= MAX_AT_ONCE)
			throw new DomainError("resource_exhausted", `${MAX_AT_ONCE} test calls are running: wait until one is over`);
		const number = to ?? (await this.#numberOf(projectId, room));
		const phone = await Phone.open({ host: this.#target.host, record: false });
		this.#phones.add(phone);
		void this.#talk(phone, number);
		return { from: FROM, to: number, talkMs: TALK_MS };
	}

	async close(): Promise<void> {
		await Promise.all([...this.#phones].map((phone) => phone.close()));
	}

	async #talk(phone: Phone, number: string): Promise<void> {
		try {
			const host = this.#target.host.includes(":") ? `[${this.#target.host}]` : this.#target.host;
			// Escaped: an "@" of whoever asks would make another host of what follows, and the telephone would call there.
			const call = await phone.call(`sip:${escapeUser(number)}@${host}:${this.#target.sipPort}`, { from: FROM, timeoutMs: GIVE_UP_MS });
			call.setSource(tuneThenEcho(call));
			await call.answered();
			const timer = setTimeout(() => call.hangup(), TALK_MS);
			await call.ended();
			clearTimeout(timer);
		} catch (error) {
			this.#log.info({ reason: error instanceof Error ? error.message : String(error) }, "the test call was not answered");
		} finally {
			await phone.close();
			this.#phones.delete(phone);
		}
	}

	/** A number by which a caller reaches the room: that of a direct rule without PIN, by a trunk that anybody on this machine may use. */
	async #numberOf(projectId: string, room: string | undefined): Promise<string> {
		if (room === undefined)
			throw new DomainError("invalid_argument", "room: say which room is called, or `to`: which number", { field: "room" });
		const [rules, trunks] = await Promise.all([
			this.#configStore.listRules(projectId, {}),
			this.#configStore.listInboundTrunks(projectId, {}),
		]);
		for (const { rule, trunkIds } of rules) {
			if (rule.type !== "direct" || rule.roomName !== room || rule.pin !== "") continue;
			const trunk = trunks.find(
				(one) => (trunkIds.length === 0 || trunkIds.includes(one.trunkId)) && one.authUsername === "" && one.numbers[0] !== undefined,
			);
			if (trunk?.numbers[0] !== undefined) return trunk.numbers[0];
		}
		throw new DomainError(
			"failed_precondition",
			`no number leads to the room ${JSON.stringify(room)}: add a dispatch rule to this room without a PIN, for a trunk that has a number and asks for no password`,
			{ field: "room" },
		);
	}
}

/** A tune, and after it whatever is heard, a little later. */
function tuneThenEcho(call: Awaited<ReturnType<Phone["call"]>>): (frame: Int16Array) => boolean {
	const notes = TUNE_HZ.map((hz) => tone(RATE, hz, NOTE_MS));
	const tune = new Int16Array(notes.reduce((sum, note) => sum + note.length, 0));
	let filled = 0;
	for (const note of notes) {
		tune.set(note, filled);
		filled += note.length;
	}
	let at = 0;
	const heard: Int16Array[] = [];
	call.onRtp((packet) => {
		const g711 = packet.payloadType === 8 ? "PCMA" : "PCMU";
		if (packet.payloadType !== 0 && packet.payloadType !== 8) return;
		const pcm = new Int16Array(packet.payload.length);
		decodeG711(g711, packet.payload, pcm);
		heard.push(pcm);
		if (heard.length > 2 * ECHO_FRAMES) heard.shift();
	});
	return (frame) => {
		frame.fill(0);
		if (at < tune.length) {
			frame.set(tune.subarray(at, at + frame.length));
			at += frame.length;
			heard.length = 0;
		} else if (heard.length > ECHO_FRAMES) {
			const next = heard.shift();
			if (next !== undefined) frame.set(next.subarray(0, frame.length));
		}
		return true;
	};
}
