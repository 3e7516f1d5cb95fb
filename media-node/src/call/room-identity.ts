/** Who joins which room; the token is made from it. */
export interface RoomIdentity {
	roomName: string;
	identity: string;
	name: string;
	metadata: string;
	attributes: Record<string, string>;
	roomPreset?: string;
	roomConfig?: Record<string, unknown>;
}
