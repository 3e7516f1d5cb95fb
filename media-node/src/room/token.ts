/** The token that a call joins its room with. */
import type { RoomConfiguration } from "@livekit/protocol";
import { AccessToken } from "livekit-server-sdk";

/** A call may last a day: so long must its token allow a reconnect. */
const DEFAULT_TTL_SECONDS = 24 * 3600;

export interface JoinTokenOptions {
	apiKey: string;
	apiSecret: string;
	room: string;
	identity: string;
	name: string;
	metadata: string;
	attributes: Record<string, string>;
	/** default: 24 hours */
	ttlSeconds?: number | undefined;
	/** name of a preset that the server knows; applied when this participant creates the room */
	roomPreset?: string | undefined;
	/** agents, egress and limits of the room; applied when this participant creates it */
	roomConfig?: RoomConfiguration | undefined;
}

/** A LiveKit JWT of kind SIP that may join one room, publish, subscribe, send data and change its own metadata. */
export async function joinToken(options: JoinTokenOptions): Promise<string> {
	const token = new AccessToken(options.apiKey, options.apiSecret, {
		identity: options.identity,
		name: options.name,
		metadata: options.metadata,
		attributes: options.attributes,
		ttl: options.ttlSeconds ?? DEFAULT_TTL_SECONDS,
	});
	token.kind = "sip";
	token.addGrant({
		roomJoin: true,
		room: options.room,
		canPublish: true,
		canSubscribe: true,
		canPublishData: true,
		canUpdateOwnMetadata: true,
	});
	if (options.roomPreset !== undefined) token.roomPreset = options.roomPreset;
	if (options.roomConfig !== undefined) token.roomConfig = options.roomConfig;
	return token.toJwt();
}
