import type { CallRecord } from "@trunkline/contracts";
import { RoomServiceClient, TwirpError } from "livekit-server-sdk";

interface Access {
	url: string;
	apiKey: string;
	apiSecret: string;
}

const SECONDS = 5;

/** Takes participants of dead nodes' calls out of their rooms, at the LiveKit server of their project. Rejects with what the server says. */
export function removalFrom(accessOf: (projectId: string) => Promise<Access>) {
	return async ({ projectId, roomName, participantIdentity }: Pick<CallRecord, "projectId" | "roomName" | "participantIdentity">) => {
		const { url, apiKey, apiSecret } = await accessOf(projectId);
		const rooms = new RoomServiceClient(url.replace(/^ws/, "http"), apiKey, apiSecret, { requestTimeout: SECONDS });
		try {
			await rooms.removeParticipant(roomName, participantIdentity);
		} catch (error) {
			// It left by itself, or the room is over.
			if (error instanceof TwirpError && error.code === "not_found") return;
			throw error;
		}
	};
}
