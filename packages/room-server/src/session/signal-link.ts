import type { SignalRequest } from "@livekit/protocol";
import type { WebSocket } from "ws";
import { limits } from "../limits.ts";
import type { SignalMessage } from "../room/participant.ts";
import { SignalSocket } from "./signal-socket.ts";

/** ms for the client to close its WebSocket after it has been told to leave */
const CLOSE_GRACE_MS = 2_000;

/** What a resumed client negotiates anew, or asks again: of no use when it comes late. */
const perishable: ReadonlySet<SignalMessage["case"]> = new Set([
	"offer",
	"answer",
	"mediaSectionsRequirement",
	"pong",
	"pongResp",
	"speakersChanged",
]);

export interface SignalLinkHandlers {
	onRequest(request: SignalRequest): void;
	/** the WebSocket is gone; what is sent now waits for the next one */
	onLost(): void;
	/** what came is no signalling, or more waits than is kept: there is nothing to resume */
	onBroken(): void;
}

/** A participant's signalling over one WebSocket after the other: what is sent between two of them is kept for the second. */
export class SignalLink {
	readonly #handlers: SignalLinkHandlers;
	#socket: SignalSocket | undefined;
	#kept: SignalMessage[] = [];
	#closed = false;

	constructor(socket: WebSocket, handlers: SignalLinkHandlers) {
		this.#handlers = handlers;
		this.#attach(socket);
	}

	/** False between two WebSockets. */
	get attached(): boolean {
		return this.#socket !== undefined;
	}

	send(message: SignalMessage): void {
		if (this.#socket !== undefined) this.#socket.send(message);
		else if (!this.#closed && !perishable.has(message.case)) this.#keep(message);
	}

	/** Goes on with another WebSocket: `first` is said first, then what was kept. One that may be there still is closed. */
	resume(socket: WebSocket, first: SignalMessage): void {
		const older = this.#socket;
		this.#attach(socket);
		older?.close();
		this.send(first);
		const kept = this.#kept;
		this.#kept = [];
		for (const message of kept) this.send(message);
	}

	close(): void {
		this.#closed = true;
		this.#kept = [];
		const socket = this.#socket;
		if (socket === undefined) return;
		socket.close();
		setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
	}

	#keep(message: SignalMessage): void {
		this.#kept.push(message);
		if (this.#kept.length <= limits.keptSignalMessages) return;
		this.close();
		this.#handlers.onBroken();
	}

	#attach(socket: WebSocket): void {
		const attached = new SignalSocket(socket, {
			onRequest: (request) => {
				if (this.#socket === attached) this.#handlers.onRequest(request);
			},
			onClosed: () => this.#lost(attached),
			onBroken: () => {
				if (this.#socket === attached) this.#handlers.onBroken();
			},
		});
		this.#socket = attached;
	}

	#lost(socket: SignalSocket): void {
		if (this.#socket !== socket) return;
		this.#socket = undefined;
		if (!this.#closed) this.#handlers.onLost();
	}
}
