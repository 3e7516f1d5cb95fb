import * as z from "zod";
import { type HeaderList, RoomRpcError } from "./ports.ts";
import { sendableHeaders } from "./sendable-headers.ts";

/** What a participant in the room can ask of the telephone leg by RPC, with LiveKit's names and JSON. */
export interface RpcTarget {
	/** of the INVITE that came in, or of the 200 that answered ours */
	remoteHeaders(): HeaderList;
	/** Hangs up; BYE has these. */
	endCall(headers: HeaderList): void;
}

const MOST_NAMES = 64;
const names = z.array(z.string().max(256)).max(MOST_NAMES).nullish();
const getHeaders = z.object({ include: names, exclude: names });
const endCall = z.object({ headers: z.record(z.string().max(256), z.string().max(4096)).nullish() });

/** Of the message and not of the caller, as LiveKit leaves them out, and secrets, which it does not. */
const IGNORED: ReadonlySet<string> = new Set([
	...["route", "record-route", "via", "supported", "accept", "allow", "allow-events", "content-type", "content-length", "content-encoding"],
	...[
		"content-disposition",
		"cseq",
		"event",
		"expires",
		"session-expires",
		"min-se",
		"max-forwards",
		"authorization",
		"proxy-authorization",
	],
]);

const UNSUPPORTED_METHOD = 1400;
const APPLICATION_ERROR = 1500;

/** Answers a telephone's participant's RPCs, as `JoinOptions` has it. */
export const roomRpc =
	(target: RpcTarget) =>
	async (method: string, payload: string): Promise<string> =>
		answerRoomRpc(target, method, payload);

/** Gives the JSON of the answer. Throws RoomRpcError. */
export function answerRoomRpc(target: RpcTarget, method: string, payload: string): string {
	switch (method) {
		case "lk.sip.GetRemoteHeaders":
			return JSON.stringify({ headers: chosen(target.remoteHeaders(), read(getHeaders, payload)) });
		case "lk.sip.EndCall": {
			const { headers, refused } = sendableHeaders(Object.entries(read(endCall, payload).headers ?? {}));
			if (refused.length > 0) throw new RoomRpcError(APPLICATION_ERROR, `headers that cannot be sent: ${refused.join(", ")}`);
			target.endCall(headers);
			return "{}";
		}
		default:
			throw new RoomRpcError(UNSUPPORTED_METHOD, "Method not supported at destination");
	}
}

/** Of several headers with one name the last one counts, as in LiveKit. */
function chosen(headers: HeaderList, { include, exclude }: z.infer<typeof getHeaders>): Record<string, string> {
	const only = setOf(include);
	const skip = setOf(exclude);
	const wanted = headers.filter(([name]) => {
		const key = name.toLowerCase();
		return !IGNORED.has(key) && !skip.has(key) && (only.size === 0 || only.has(key));
	});
	return Object.fromEntries(wanted);
}

const setOf = (list: readonly string[] | null | undefined): ReadonlySet<string> => new Set((list ?? []).map((name) => name.toLowerCase()));

function read<T>(schema: z.ZodType<T>, payload: string): T {
	let value: unknown = {};
	try {
		if (payload !== "") value = JSON.parse(payload);
	} catch {
		throw new RoomRpcError(APPLICATION_ERROR, "the payload is no JSON");
	}
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	throw new RoomRpcError(APPLICATION_ERROR, `the payload is not what the method takes: ${result.error.issues[0]?.message ?? ""}`);
}
