/** LiveKit's signalling: protobuf messages over one WebSocket, with the ping that finds a dead one. */
import { Ping, SignalRequest, SignalResponse } from "@livekit/protocol";
import { WebSocket } from "ws";

export type SignalRequestMessage = NonNullable<ConstructorParameters<typeof SignalRequest>[0]>["message"];
export type SignalResponseMessage = SignalResponse["message"];

export interface SignalEvents {
	message(message: SignalResponseMessage): void;
	/** the WebSocket has ended, whoever ended it; told once, never after `close()` */
	closed(message: string): void;
}

/** Why no WebSocket came about: the HTTP status that the server answered, or undefined when nobody answered. */
export class SignalOpenError extends Error {
	override readonly name = "SignalOpenError";
	readonly status: number | undefined;
	constructor(message: string, status: number | undefined, options?: ErrorOptions) {
		super(message, options);
		this.status = status;
	}
}

/** A server's message is a description of all that is in a room: large for large rooms, never without bound. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BODY = 300;
/** how long a WebSocket may take to finish its closing handshake */
const CLOSE_TIMEOUT_MS = 500;

export class SignalConnection {
	readonly #socket: WebSocket;
	#pingTimer: NodeJS.Timeout | undefined;
	#lastHeard = 0;
	#opened = false;
	#closed = false;

	private constructor(socket: WebSocket) {
		this.#socket = socket;
	}

	/** @throws SignalOpenError; with `signal` aborted, the reason of the abort */
	static async open(url: URL, token: string, events: SignalEvents, signal: AbortSignal): Promise<SignalConnection> {
		signal.throwIfAborted();
		const socket = new WebSocket(url, {
			// in a header, because URLs are logged
			headers: { authorization: `Bearer ${token}` },
			perMessageDeflate: false,
			maxPayload: MAX_MESSAGE_BYTES,
		});
		const connection = new SignalConnection(socket);
		// The server may speak in the same packet that completes the upgrade, so listen before waiting.
		connection.#listen(events);
		const opened = Promise.withResolvers<void>();
		const onAbort = () => opened.reject(signal.reason);
		signal.addEventListener("abort", onAbort, { once: true });
		socket.once("open", () => {
			connection.#opened = true;
			opened.resolve();
		});
		socket.once("error", (error) => opened.reject(new SignalOpenError(error.message, undefined, { cause: error })));
		socket.once("unexpected-response", (_request, response) => {
			void readBody(response).then((body) => opened.reject(new SignalOpenError(body, response.statusCode)));
		});
		try {
			await opened.promise;
			return connection;
		} catch (error) {
			connection.#closed = true;
			// `terminate` of a socket that is still connecting tells an error, which nobody waits for any more
			socket.on("error", () => undefined);
			socket.terminate();
			throw error;
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}

	/** False: it is not open, and nothing was sent. */
	send(message: SignalRequestMessage): boolean {
		if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return false;
		this.#socket.send(new SignalRequest({ message } as ConstructorParameters<typeof SignalRequest>[0]).toBinary());
		return true;
	}

	/** Pings; a server that says nothing at all for `timeoutMs` counts as gone. */
	startPings(intervalMs: number, timeoutMs: number, onDead: () => void): void {
		this.#lastHeard = performance.now();
		this.#pingTimer = setInterval(() => {
			if (performance.now() - this.#lastHeard > timeoutMs) {
				clearInterval(this.#pingTimer);
				onDead();
				return;
			}
			this.send({ case: "pingReq", value: new Ping({ timestamp: BigInt(Date.now()), rtt: 0n }) });
		}, intervalMs);
	}

	/** Idempotent; resolves when the socket is gone. */
	async close(): Promise<void> {
		this.#closed = true;
		clearInterval(this.#pingTimer);
		const socket = this.#socket;
		if (socket.readyState === WebSocket.CLOSED) return;
		const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
		if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
		else socket.close(1000);
		const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
		await gone;
		clearTimeout(timer);
	}

	#listen(events: SignalEvents): void {
		this.#socket.on("message", (data, isBinary) => {
			if (this.#closed || !isBinary || !(data instanceof Buffer)) return;
			this.#lastHeard = performance.now();
			const message = decode(data);
			if (message === undefined) this.#end(events, "the room server sent a message that is no LiveKit protobuf");
			else events.message(message);
		});
		this.#socket.on("close", (code) => this.#end(events, `the room server's WebSocket closed (code ${code})`));
		this.#socket.on("error", (error) => this.#end(events, `the room server's WebSocket broke: ${error.message}`));
	}

	#end(events: SignalEvents, message: string): void {
		// what ends before it was open is the failure of `open`
		if (this.#closed || !this.#opened) return;
		this.#closed = true;
		clearInterval(this.#pingTimer);
		events.closed(message);
	}
}

function decode(data: Buffer): SignalResponseMessage | undefined {
	try {
		return SignalResponse.fromBinary(data).message;
	} catch {
		return undefined;
	}
}

async function readBody(response: NodeJS.ReadableStream): Promise<string> {
	let body = "";
	try {
		for await (const chunk of response) {
			body += String(chunk);
			if (body.length > MAX_ERROR_BODY) break;
		}
	} catch {
		// half a message is as good as it gets
	}
	return body.slice(0, MAX_ERROR_BODY).trim();
}
