import { createHash, createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { RoomConfiguration } from "@livekit/protocol";
import type { DefenceCounts, Hashes, Strike } from "@trunkline/sip";
import type { CallDeps } from "./call/call-deps.ts";
import { InboundCall } from "./call/inbound-call.ts";
import type { LiveCall } from "./call/ports.ts";
import type { Decision } from "./call/state.ts";
import { MediaEngine } from "./engine/engine.ts";
import type { NodeReading } from "./health/gauges.ts";
import type { LiveKitAccess, MediaNodeOptions } from "./node-options.ts";
import type { LiveKitRoomConnectorOptions } from "./room/livekit-room-connector.ts";
import { joinToken } from "./room/token.ts";
import { Commands } from "./worker/commands.ts";
import type { Transfers } from "./worker/transfers.ts";
import { type InboundTrunks, inboundTrunksOf } from "./ua/inbound-trunks.ts";

/** Fakes of rooms are objects of this thread. */
export async function startEngine({
	mediaWorkers: workers = 0,
	rooms,
	rtp: media,
	roomRecoveryMs,
	roomRelays,
	log,
}: MediaNodeOptions): Promise<MediaEngine | undefined> {
	return workers === 0 || rooms !== undefined ? undefined : MediaEngine.start({ workers, media, roomRecoveryMs, roomRelays, log });
}

/** What of the options rooms are about. */
export const recovering = ({
	roomRecoveryMs,
	roomRelays,
}: MediaNodeOptions): Pick<LiveKitRoomConnectorOptions, "recoveryMs" | "relays"> => ({
	...(roomRecoveryMs === undefined ? {} : { recoveryMs: roomRecoveryMs }),
	...(roomRelays === undefined ? {} : { relays: roomRelays }),
});

/** Resolves after `ms`, or when it is told to stop. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
	await delay(ms, undefined, { signal }).catch(() => {});
}

export const sharedNowOf = ({ sharedNow }: MediaNodeOptions): (() => number) => sharedNow ?? Date.now;

/** For the calls of a node with a queue of its own. */
export function commandsFor(
	options: MediaNodeOptions,
	node: { nodeId: string; call(callId: string): LiveCall | undefined; transfers: Transfers; log: MediaNodeOptions["log"] },
): Commands | undefined {
	const { commandQueue: queue } = options;
	if (queue === undefined) return undefined;
	const { nodeId, call, transfers, log } = node;
	return new Commands({
		...{ queue, nodeId, log, now: sharedNowOf(options), sleep: pause },
		hangUp: (callId) => {
			const live = call(callId);
			live?.dispatch({ type: "hang-up" });
			return live !== undefined;
		},
		transfer: (transferId, callId) => transfers.take(transferId, callId),
	});
}

/** What participants join rooms with: signed with the keys of the project's own LiveKit server. */
export function roomTokens(livekitOf: (projectId: string) => Promise<LiveKitAccess>): CallDeps["token"] {
	return async ({ roomName, roomConfig, ...identity }, projectId) => {
		const { apiKey, apiSecret } = await livekitOf(projectId);
		const configured =
			roomConfig === undefined ? {} : { roomConfig: RoomConfiguration.fromJson(roomConfig as JsonValue, { ignoreUnknownFields: true }) };
		return joinToken({ apiKey, apiSecret, room: roomName, ...identity, ...configured });
	};
}

export function inboundTrunksFor({ projects, configStore, projectId }: MediaNodeOptions): InboundTrunks {
	if (projects !== undefined) return projects.inboundTrunks ?? (async () => undefined);
	return inboundTrunksOf(configStore, async () => [projectId]);
}

/** What a refused INVITE tells of its source. Only what no customer of ours does many times a minute counts. */
export function strikeFor(decision: Decision): Strike | undefined {
	if (decision.kind !== "reject") return undefined;
	if (decision.end.reason === "no-trunk") return "no-trunk";
	return decision.end.reason === "unauthorized" ? "bad-credentials" : undefined;
}

/** Calls by direction, and what was kept out, as the gauges want them. */
export function countsFor(
	calls: readonly LiveCall[],
	{ banned: bannedSources, ...counts }: DefenceCounts,
): Pick<NodeReading, "inbound" | "outbound" | "dropped" | "bannedSources"> {
	const inbound = calls.filter((call) => call instanceof InboundCall).length;
	const dropped = Object.entries(counts).reduce((sum, [name, count]) => (name.startsWith("dropped-") ? sum + count : sum), 0);
	return { inbound, outbound: calls.length - inbound, dropped, bannedSources };
}

export const hashes: Hashes = {
	md5: (bytes) => createHash("md5").update(bytes).digest(),
	sha512t256: (bytes) => createHash("sha512-256").update(bytes).digest(),
	sha256: (bytes) => createHash("sha256").update(bytes).digest(),
	hmacSha256: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
};
