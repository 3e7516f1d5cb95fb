import { gunzipSync } from "node:zlib";
import { ClientInfo, ConnectionSettings, JoinRequest, WrappedJoinRequest, WrappedJoinRequest_Compression } from "@livekit/protocol";
import { limits } from "../limits.ts";

/** What a client says about itself when it opens the WebSocket. */
export interface JoinParameters {
	/** `/rtc/v1`: one peer connection for both directions; `/rtc`: one each way */
	singleConnection: boolean;
	request: JoinRequest;
}

/**
 * Reads the query of a join. `/rtc/v1` carries `join_request`, a base64url WrappedJoinRequest, often gzip'd; `/rtc` spells it out in parameters.
 * A string says what is wrong (HTTP 400).
 */
export function readJoinParameters(path: string, query: URLSearchParams): JoinParameters | string {
	const wrapped = query.get("join_request");
	if (wrapped !== null && wrapped !== "") {
		const request = unwrap(wrapped);
		return typeof request === "string" ? request : { singleConnection: true, request };
	}
	if (path.startsWith("/rtc/v1")) return "join_request is required";
	const clientProtocol = Number(query.get("client_protocol") ?? 0);
	const request = new JoinRequest({
		// others choose by it how they speak to this client: texts, files and RPC beyond one data packet
		clientInfo: new ClientInfo({ clientProtocol: Number.isSafeInteger(clientProtocol) ? Math.max(0, clientProtocol) % 2 ** 31 : 0 }),
		connectionSettings: new ConnectionSettings({
			autoSubscribe: query.get("auto_subscribe") === null || isTrue(query.get("auto_subscribe")),
		}),
		reconnect: isTrue(query.get("reconnect")),
		participantSid: query.get("sid") ?? "",
	});
	return { singleConnection: false, request };
}

function unwrap(text: string): JoinRequest | string {
	try {
		const wrapped = WrappedJoinRequest.fromBinary(Buffer.from(text, "base64url"));
		if (wrapped.compression === WrappedJoinRequest_Compression.NONE) return JoinRequest.fromBinary(wrapped.joinRequest);
		return JoinRequest.fromBinary(gunzipSync(wrapped.joinRequest, { maxOutputLength: limits.joinRequestBytes }));
	} catch {
		return "cannot decode join request";
	}
}

function isTrue(value: string | null): boolean {
	return value === "1" || value === "true";
}
