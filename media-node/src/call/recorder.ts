import type { CallRecording, CallState as RecordState } from "@trunkline/contracts";
import { effectiveSettings, type RecordingCommand, type TransferOutcome } from "@trunkline/domain";
import type { CallDeps, Referrer } from "./call-deps.ts";
import type { MediaEvent, MediaSession } from "./ports.ts";
import type { RecordWriter } from "./record-writer.ts";

export interface RecordedCall {
	callId: string;
	deps: CallDeps;
	records: RecordWriter;
	media(): MediaSession | undefined;
	referrer(): Referrer;
	projectId(): string;
	/** what its record is now */
	recordState(): RecordState;
	run(what: string, work: Promise<unknown>): void;
}

interface Current {
	recording: CallRecording;
	file?: string;
}

const FAILED = { status: "failed", reason: "unspecified" } as const;
const SUCCESS: TransferOutcome = { status: "successful", reason: "completed" };

/** A call's recordings, one at a time: begun by its trunk or by a command, ended by a command or with the call. */
export class Recorder {
	readonly #call: RecordedCall;
	/** wanted, from before the file is there */
	#current: Current | undefined;
	/** by file: begun, and not in its place yet */
	readonly #open = new Map<string, { recording: CallRecording; kept: PromiseWithResolvers<void> }>();
	#count = 0;
	#isActive = false;

	constructor(call: RecordedCall) {
		this.#call = call;
	}

	/** The call's record is in that state from now on: from `active` on telephone and room hear each other. */
	onRecord(state: RecordState): void {
		if (state !== "active" || this.#isActive) return;
		this.#isActive = true;
		const { enabled, notice } = effectiveSettings(this.#call.referrer().settings).recording;
		if (enabled) this.#call.run("beginning a recording", this.#begin(notice));
	}

	command(command: RecordingCommand): void {
		const { deps, run } = this.#call;
		const tell = (outcome: TransferOutcome): void => deps.onTransfer([command.transferId], outcome);
		if (command.recording === "stop") {
			this.#stop();
			return tell(SUCCESS);
		}
		if (deps.recordings === undefined) return tell({ ...FAILED, message: "this deployment keeps no recordings" });
		const notice = command.notice ?? effectiveSettings(this.#call.referrer().settings).recording.notice;
		run(
			"beginning a recording",
			this.#begin(notice).then((problem) => tell(problem === undefined ? SUCCESS : { ...FAILED, message: problem })),
		);
	}

	/** The media side has closed a file. */
	onRecorded({ file, durationMs, bytes, problem }: Extract<MediaEvent, { type: "recorded" }>): void {
		if (this.#current?.file === file) this.#stop();
		const begun = this.#open.get(file);
		if (begun === undefined) return;
		const kept = this.#keep({ ...begun.recording, durationMs, bytes, ...(problem === undefined ? {} : { problem }) }, file);
		this.#call.run(
			"keeping a recording",
			kept.finally(() => {
				this.#open.delete(file);
				begun.kept.resolve();
			}),
		);
	}

	/** What is recorded is where it belongs, or has been given up. */
	settled(): Promise<unknown> {
		return Promise.all([...this.#open.values()].map(({ kept }) => kept.promise));
	}

	/** Resolves with why it did not begin. */
	async #begin(notice: boolean): Promise<string | undefined> {
		const { deps, callId, media, records, recordState } = this.#call;
		if (this.#current !== undefined || deps.recordings === undefined) return undefined;
		const recording: CallRecording = { key: this.#nextKey(), startedAt: deps.clock.now() };
		const current: Current = { recording };
		this.#current = current;
		try {
			const file = await deps.recordings.begin(recording.key);
			const session = media();
			if (this.#current !== current || session === undefined) return "the call ended, or recording was stopped, before it began";
			// Before it begins: it may say at once that it is over.
			this.#current = { recording, file };
			this.#open.set(file, { recording, kept: Promise.withResolvers() });
			session.record(file, notice);
			records.transition([recordState()], recordState(), deps.clock.now(), "recording", recording.key, { recording });
			return undefined;
		} catch (error) {
			this.#current = undefined;
			deps.log.error({ callId, err: error }, "a recording could not begin");
			return "the file of the recording cannot be written";
		}
	}

	#stop(): void {
		if (this.#current?.file !== undefined) this.#call.media()?.stopRecording();
		this.#current = undefined;
	}

	async #keep(recording: CallRecording, file: string): Promise<void> {
		const { deps, callId, records, recordState } = this.#call;
		let kept = recording;
		try {
			await deps.recordings?.keep(recording.key, file);
		} catch (error) {
			deps.log.error(
				{ callId, key: recording.key, err: error },
				"a recording could not be kept yet; it is tried again when the node starts",
			);
			kept = { ...recording, problem: "not in the store yet" };
		}
		const state = recordState();
		records.transition([state], state, deps.clock.now(), "recorded", recording.key, { recording: kept });
		await records.settled();
	}

	/** The project first: keys of one are never those of another. */
	#nextKey(): string {
		const { directory } = effectiveSettings(this.#call.referrer().settings).recording;
		this.#count += 1;
		const name = this.#count === 1 ? this.#call.callId : `${this.#call.callId}-${this.#count}`;
		return [this.#call.projectId(), ...(directory === "" ? [] : [directory]), `${name}.wav`].join("/");
	}
}
