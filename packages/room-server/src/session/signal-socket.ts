import { SignalRequest, SignalResponse } from "@livekit/protocol";
import type { RawData, WebSocket } from "ws";
import { limits } from "../limits.ts";
import type { SignalMessage } from "../room/participant.ts";

/** LiveKit signalling on a WebSocket: protobuf in binary frames, JSON in text frames for clients that speak it. */
export class SignalSocket {
	readonly #socket: WebSocket;
	#json = false;

	constructor(socket: WebSocket, handlers: { onRequest(request: SignalRequest): void; onClosed(): void; onBroken(): void }) {
		this.#socket = socket;
		socket.on("message", (data, isBinary) => {
			const request = this.#read(data, isBinary);
			if (request !== undefined) {
				handlers.onRequest(request);
				return;
			}
			this.close(1003, "not a SignalRequest");
			// it may never answer the close
			handlers.onBroken();
		});
		socket.on("close", () => handlers.onClosed());
		// "close" follows; the reason (a reset, an oversized frame) changes nothing
		socket.on("error", () => undefined);
	}

	send(message: SignalMessage): void {
		if (this.#socket.readyState !== this.#socket.OPEN) return;
		if (this.#socket.bufferedAmount > limits.signalBacklogBytes) {
			this.#socket.terminate();
			return;
		}
		const response = new SignalResponse({ message });
		this.#socket.send(this.#json ? response.toJsonString() : response.toBinary());
	}

	close(code = 1000, reason = ""): void {
		this.#socket.close(code, reason);
	}

	/** Cuts the connection when the client does not answer the close. */
	terminate(): void {
		this.#socket.terminate();
	}

	#read(data: RawData, isBinary: boolean): SignalRequest | undefined {
		const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
		try {
			if (isBinary) return SignalRequest.fromBinary(bytes);
			this.#json = true;
			return SignalRequest.fromJsonString(bytes.toString("utf8"), { ignoreUnknownFields: true });
		} catch {
			return undefined;
		}
	}
}
