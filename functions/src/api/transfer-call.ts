import type { CallRecord, NoiseSuppression } from "@trunkline/contracts";
import {
	type CallCommand,
	type CommandPort,
	type CommandQueue,
	DomainError,
	type TransferOutcome,
	type TransferStore,
} from "@trunkline/domain";
import { isOutOfTime } from "./deadline.ts";
import type { ApiDeps } from "./deps.ts";

export interface TransferDeps extends Pick<ApiDeps, "clock" | "sleep" | "log"> {
	transfers: TransferStore;
	/** the queue of the node that has a call, in the call's region */
	commandQueue(nodeId: string, region: string): CommandQueue;
}

/** A node that lives has taken a command long before. */
const TAKE_WITHIN_MS = 5_000;
/** The node keeps the ringing timeout and tells of it; beyond that it cannot tell any more. Less than the SDK's own margin of 2 s. */
const NODE_MARGIN_MS = 1_500;
/** Joining another room takes a second or two. */
const PLACE_WITHIN_MS = 8_000;
const FIRST_POLL_MS = 20;
const SLOWEST_POLL_MS = 200;
const KEPT_SECONDS = 24 * 3600;

const GONE: TransferOutcome = { status: "failed", reason: "unspecified", refused: "gone" };

/**
 * Transfers (and moves, and holds) by way of the call's node: the transfer is written down, the node is told on its own queue, and the answer waits for what the node writes
 * there. Asked twice with one id it waits for the one transfer. One that no node takes in time is given up, and cannot begin later.
 */
export function transferBy(deps: TransferDeps): CommandPort {
	return async (call, command, signal) => {
		const { transferId } = command;
		const began = deps.clock();
		const { callId, projectId } = call;
		const expiresAtSeconds = Math.floor(began / 1000) + KEPT_SECONDS;
		const isNew = await deps.transfers.createTransfer({ projectId, callId, command, state: "requested", expiresAtSeconds });
		const first = isNew ? undefined : await deps.transfers.getTransfer(transferId);
		if (first !== undefined && (first.callId !== callId || !isSame(first.command, command)))
			throw new DomainError("already_exists", "the request id was used for another transfer");
		// A first attempt may have died before it told the node; told twice, the node transfers once.
		if (isNew || first?.state === "requested") await tell(deps, call, transferId);
		return waitFor(deps, { transferId, takenBy: began + TAKE_WITHIN_MS, until: began + patience(command) + NODE_MARGIN_MS }, signal);
	};
}

/** What the node is given for it. */
const patience = (command: CallCommand): number => ("ringingTimeoutMs" in command ? command.ringingTimeoutMs : PLACE_WITHIN_MS);

/** A retry asks for the same. */
function isSame(first: CallCommand, again: CallCommand): boolean {
	if ("transferTo" in again) return "transferTo" in first && first.transferTo === again.transferTo;
	if ("destinationRoom" in again) return "destinationRoom" in first && first.destinationRoom === again.destinationRoom;
	if ("recording" in again) return "recording" in first && first.recording === again.recording;
	if ("noiseSuppression" in again) return "noiseSuppression" in first && sameSuppression(first.noiseSuppression, again.noiseSuppression);
	if ("digits" in again) return "digits" in first && first.digits === again.digits;
	return "music" in first && first.on === again.on;
}

const sameSuppression = (a: NoiseSuppression, b: NoiseSuppression): boolean =>
	a.uplink === b.uplink && a.downlink === b.downlink && a.mix === b.mix;

async function tell(
	{ commandQueue, clock }: TransferDeps,
	{ callId, projectId, owner, region }: CallRecord,
	transferId: string,
): Promise<void> {
	if (owner === undefined) throw new Error("a call that was answered has no owner");
	const message = { version: 1, type: "transfer", commandId: transferId, projectId, callId, nodeId: owner, sentAt: clock() } as const;
	await commandQueue(owner, region).send(message);
}

async function waitFor(
	deps: TransferDeps,
	wait: { transferId: string; takenBy: number; until: number },
	signal: Parameters<CommandPort>[2],
): Promise<TransferOutcome> {
	const { transferId } = wait;
	for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(SLOWEST_POLL_MS, pollMs * 1.5)) {
		const transfer = await deps.transfers.getTransfer(transferId);
		if (transfer?.outcome !== undefined) return transfer.outcome;
		const now = deps.clock();
		if (now >= Math.min(wait.takenBy, wait.until) && transfer?.state !== "ongoing") {
			deps.log.warn({ transferId, callId: transfer?.callId }, "no media node took a transfer");
			if (await deps.transfers.settleTransfer(transferId, ["requested"], GONE)) return GONE;
		} else if (now >= wait.until) {
			return { status: "failed", reason: "ringing-timeout", message: "the call's node did not tell the outcome in time" };
		}
		// Given up by its client before a node has it, the wait still sees to it that it cannot begin much later.
		if (signal?.aborted === true && transfer?.state === "ongoing")
			throw isOutOfTime(signal)
				? new DomainError("deadline_exceeded", "the transfer's outcome did not come in time; it goes on")
				: new DomainError("canceled", "the client went away; the transfer goes on");
		await deps.sleep(pollMs);
	}
}
