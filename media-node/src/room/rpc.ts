/** Participant RPC as LiveKit's SDKs speak it: a request in a data packet, an acknowledgement at once, then the response. */
import { DataPacket, DataPacket_Kind, RpcAck, RpcError, type RpcRequest, RpcResponse } from "@livekit/protocol";
import { type JoinOptions, RoomRpcError } from "../call/ports.ts";

type RpcHandler = NonNullable<JoinOptions["onRpc"]>;

const UNSUPPORTED_METHOD = 1400;
const APPLICATION_ERROR = 1500;
const RESPONSE_TOO_LARGE = 1504;
const UNSUPPORTED_VERSION = 1404;
const VERSION = 1;
/** of LiveKit's SDKs */
const MAX_PAYLOAD_BYTES = 15 * 1024;
/** A participant may ask as often as it likes; it is not answered more often than this at a time. */
const MAX_AT_ONCE = 16;

export class RpcResponder {
	readonly #handler: RpcHandler | undefined;
	readonly #send: (packet: DataPacket) => void;
	#running = 0;

	constructor(handler: RpcHandler | undefined, send: (packet: DataPacket) => void) {
		this.#handler = handler;
		this.#send = send;
	}

	async answer(request: RpcRequest, callerIdentity: string): Promise<void> {
		if (callerIdentity === "" || request.id === "" || this.#running >= MAX_AT_ONCE) return;
		this.#running += 1;
		const { id: requestId } = request;
		const send = (value: DataPacket["value"]) =>
			this.#send(new DataPacket({ kind: DataPacket_Kind.RELIABLE, destinationIdentities: [callerIdentity], value }));
		send({ case: "rpcAck", value: new RpcAck({ requestId }) });
		try {
			const payload = await this.#result(request, callerIdentity);
			send({ case: "rpcResponse", value: new RpcResponse({ requestId, value: { case: "payload", value: payload } }) });
		} catch (error) {
			const code = error instanceof RoomRpcError ? error.code : APPLICATION_ERROR;
			const message = error instanceof RoomRpcError ? error.message : "the method failed";
			send({
				case: "rpcResponse",
				value: new RpcResponse({ requestId, value: { case: "error", value: new RpcError({ code, message }) } }),
			});
		} finally {
			this.#running -= 1;
		}
	}

	async #result({ method, payload, version }: RpcRequest, callerIdentity: string): Promise<string> {
		if (version !== VERSION) throw new RoomRpcError(UNSUPPORTED_VERSION, "Unsupported RPC version");
		if (this.#handler === undefined) throw new RoomRpcError(UNSUPPORTED_METHOD, "Method not supported at destination");
		const result = await this.#handler(method, payload, callerIdentity);
		if (Buffer.byteLength(result) > MAX_PAYLOAD_BYTES) throw new RoomRpcError(RESPONSE_TOO_LARGE, "Response payload too large");
		return result;
	}
}
