import { DataPacket } from "@livekit/protocol";
import type { Participant } from "./participant.ts";

/**
 * Whose name a packet goes out under: the sender's, whatever it says itself, and none of one that is hidden. As in LiveKit an agent alone may name another, for
 * what it writes down of him (transcriptions, chat), and that is marked as made by a machine. `undefined` = the API, which has no name.
 */
export function nameSender(packet: DataPacket, sender: Participant | undefined): void {
	const { value } = packet;
	const isNamed = packet.participantIdentity !== "" && packet.participantIdentity !== sender?.identity;
	if (sender?.grants.kind === "agent" && isNamed) {
		if (value.case === "chatMessage") {
			value.value.generated = true;
			return;
		}
		if (value.case === "streamHeader" && value.value.contentHeader.case === "textHeader") {
			value.value.contentHeader.value.generated = true;
			return;
		}
	}
	const named = sender?.grants.hidden === true ? undefined : sender;
	packet.participantIdentity = named?.identity ?? "";
	packet.participantSid = named?.sid ?? "";
}

/** What a client has sent; undefined when it is no packet. */
export function readPacket(message: Uint8Array): DataPacket | undefined {
	try {
		return DataPacket.fromBinary(message);
	} catch {
		return undefined;
	}
}
