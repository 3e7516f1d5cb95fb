/** What one stranger can make this server hold or do; above these a request is refused, never truncated. */
export const limits = {
	/** rooms at once */
	rooms: 2_000,
	/** participants in one room, unless the room's own `max_participants` says less */
	participantsPerRoom: 500,
	/** tracks one participant may publish */
	tracksPerParticipant: 8,
	/** bits per second of one video track that a publisher is told to stay below; beyond twice that its packets are dropped */
	videoBitsPerSecond: 4_000_000,
	/** bytes of one signalling message */
	signalMessageBytes: 512 * 1024,
	/** bytes of signalling that wait for a client that does not read; beyond it the client is cut off */
	signalBacklogBytes: 4 * 1024 * 1024,
	/** signalling messages kept for a client whose WebSocket broke; beyond it, it has to join anew */
	keptSignalMessages: 1_000,
	/** bytes of an unpacked join request; it holds an SDP offer */
	joinRequestBytes: 512 * 1024,
	/** bytes of one data packet */
	dataPacketBytes: 64 * 1024,
	/** media sections in one offer */
	mediaSections: 256,
	/** bytes waiting in one data channel before lossy packets are dropped for that receiver */
	dataChannelBacklogBytes: 1024 * 1024,
	/** reliable data packets kept for a participant whose data channel is not open yet */
	earlyDataPackets: 64,
	/** bytes of a room's or a participant's metadata */
	metadataBytes: 64_000,
	/** bytes of all attribute keys and values of a participant */
	attributesBytes: 64_000,
	/** UTF-16 units of an identity, a participant's name, a room's name */
	nameLength: 256,
	/** bytes of an HTTP request body */
	bodyBytes: 1024 * 1024,
} as const;

/** True when `current` with `changes` merged in holds more than a participant may. */
export function attributesTooLarge(current: Record<string, string>, changes: Record<string, string>): boolean {
	let bytes = 0;
	for (const [key, value] of Object.entries({ ...current, ...changes })) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
	return bytes > limits.attributesBytes;
}
