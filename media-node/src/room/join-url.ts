/** Addresses of LiveKit's signalling endpoints and what is written into their query. */
import { gzipSync } from "node:zlib";
import {
	ClientInfo,
	ConnectionSettings,
	JoinRequest,
	ReconnectReason,
	WrappedJoinRequest,
	WrappedJoinRequest_Compression,
} from "@livekit/protocol";
import type { AddTrackRequest, SessionDescription } from "@livekit/protocol";

/** 15: requests are answered with RequestResponse also when they succeed. 16: a server may move us to another room. */
const PROTOCOL_VERSION = 16;
const CLIENT_VERSION = "0.1.0";

/** `/rtc/v1`: one peer connection; the first offer and the track travel with the join request. */
export function singleConnectionUrl(serverUrl: string, tracks: readonly AddTrackRequest[], publisherOffer: SessionDescription): URL {
	return joinRequestUrl(serverUrl, { addTrackRequests: [...tracks], publisherOffer });
}

/** A new WebSocket for a participant that is in the room. */
export function resumeSingleUrl(serverUrl: string, participantSid: string): URL {
	return joinRequestUrl(serverUrl, { reconnect: true, participantSid, reconnectReason: ReconnectReason.RR_SIGNAL_DISCONNECTED });
}

function joinRequestUrl(serverUrl: string, fields: ConstructorParameters<typeof JoinRequest>[0]): URL {
	const joinRequest = new JoinRequest({
		clientInfo: new ClientInfo({ version: CLIENT_VERSION, protocol: PROTOCOL_VERSION, os: process.platform }),
		// We subscribe track by track: a participant that is not subscribed to video is sent none.
		connectionSettings: new ConnectionSettings({ autoSubscribe: false }),
		...fields,
	});
	const wrapped = new WrappedJoinRequest({
		compression: WrappedJoinRequest_Compression.GZIP,
		joinRequest: gzipSync(joinRequest.toBinary()),
	});
	const url = endpoint(serverUrl, "rtc/v1");
	// servers decode with Go's URLEncoding, which wants the padding that "base64url" leaves out
	const base64 = Buffer.from(wrapped.toBinary()).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
	url.searchParams.set("join_request", base64);
	return url;
}

/** `/rtc`: a publisher and a subscriber connection; every server has it. */
export function dualConnectionUrl(serverUrl: string): URL {
	const url = endpoint(serverUrl, "rtc");
	url.searchParams.set("protocol", String(PROTOCOL_VERSION));
	url.searchParams.set("version", CLIENT_VERSION);
	url.searchParams.set("os", process.platform);
	url.searchParams.set("auto_subscribe", "0");
	return url;
}

export function resumeDualUrl(serverUrl: string, participantSid: string): URL {
	const url = dualConnectionUrl(serverUrl);
	url.searchParams.set("reconnect", "1");
	url.searchParams.set("sid", participantSid);
	return url;
}

/** @throws TypeError when `serverUrl` is no http(s) or ws(s) URL */
function endpoint(serverUrl: string, path: string): URL {
	const url = new URL(serverUrl);
	const scheme = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }[url.protocol];
	if (scheme === undefined) throw new TypeError(`${url.protocol}// is no LiveKit URL: use ws, wss, http or https`);
	const address = new URL(`${scheme}//${url.host}${url.pathname.replace(/\/?$/, "/")}${path}`);
	return address;
}
