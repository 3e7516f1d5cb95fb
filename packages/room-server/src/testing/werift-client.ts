import {
	AddTrackRequest,
	JoinRequest,
	type JoinResponse,
	SessionDescription,
	SignalRequest,
	SignalResponse,
	TrackSource,
	TrackType,
	WrappedJoinRequest,
	LeaveRequest,
} from "@livekit/protocol";
import {
	MediaStream,
	MediaStreamTrack,
	RTCPeerConnection,
	type RTCRtpCodecParameters,
	RTCRtpCodecParameters as Codec,
	type RtpPacket,
	useAudioLevelIndication,
	useSdesMid,
} from "werift";
import { WebSocket } from "ws";

/** Audio codecs as WebRTC numbers them. */
export const werift = {
	PCMU: new Codec({ mimeType: "audio/PCMU", clockRate: 8000, channels: 1, payloadType: 0 }),
	PCMA: new Codec({ mimeType: "audio/PCMA", clockRate: 8000, channels: 1, payloadType: 8 }),
	opus: new Codec({ mimeType: "audio/opus", clockRate: 48_000, channels: 2, payloadType: 111 }),
};

const CONNECT_TIMEOUT_MS = 3_000;

/**
 * The least of a LiveKit client on werift, single-connection: what the media node's room client is made of. It publishes one track of the first
 * codec and hears up to `places` others.
 */
export class WeriftClient {
	readonly join: JoinResponse;
	/** RTP of other participants' tracks, with the track sid */
	onRtp: (trackSid: string, packet: RtpPacket) => void = () => undefined;
	readonly #socket: WebSocket;
	readonly #connection: RTCPeerConnection;
	readonly #midToTrackId = new Map<string, string>();
	readonly #track = new MediaStreamTrack({ kind: "audio" });
	readonly #forge: (sdp: string) => string;
	#negotiating: Promise<void> = Promise.resolve();
	#answered: ((answer: SessionDescription) => void) | undefined;

	private constructor(socket: WebSocket, connection: RTCPeerConnection, join: JoinResponse, forge: (sdp: string) => string) {
		this.#forge = forge;
		this.#socket = socket;
		this.#connection = connection;
		this.join = join;
		connection.onRemoteTransceiverAdded.subscribe(() => undefined);
		connection.onTrack.subscribe((track) => {
			track.onReceiveRtp.subscribe((packet) => {
				const mid = connection.getTransceivers().find((transceiver) => transceiver.receiver.tracks.includes(track))?.mid ?? "";
				this.onRtp(this.#midToTrackId.get(mid) ?? "", packet);
			});
		});
	}

	static async connect(
		url: string,
		token: string,
		codecs: RTCRtpCodecParameters[],
		places: number,
		forge = (sdp: string): string => sdp,
	): Promise<WeriftClient> {
		const connection = new RTCPeerConnection({
			iceServers: [],
			// else werift opens a socket per section and leaves those it does not use open for good
			bundlePolicy: "max-bundle",
			iceInterfaceAddresses: { udp4: "127.0.0.1" },
			iceUseIpv6: false,
			codecs: { audio: codecs, video: [] },
			headerExtensions: { audio: [useSdesMid(), useAudioLevelIndication()], video: [] },
		});
		const wrapped = new WrappedJoinRequest({ joinRequest: new JoinRequest({ connectionSettings: { autoSubscribe: true } }).toBinary() });
		const parameter = Buffer.from(wrapped.toBinary()).toString("base64url");
		const socket = new WebSocket(`${url}/rtc/v1?join_request=${parameter}`, { headers: { authorization: `Bearer ${token}` } });
		const join = await new Promise<JoinResponse>((resolve, reject) => {
			socket.once("error", reject);
			socket.once("message", (data) => {
				const { message } = SignalResponse.fromBinary(data as Buffer);
				if (message.case === "join") resolve(message.value);
				else reject(new Error(`first message is ${message.case}`));
			});
		});
		const client = new WeriftClient(socket, connection, join, forge);
		socket.on("message", (data) => client.#onMessage(SignalResponse.fromBinary(data as Buffer)));
		await client.#publish(places);
		return client;
	}

	/** Sends one RTP packet of the published track. */
	write(packet: RtpPacket): void {
		this.#track.writeRtp(packet);
	}

	/** Sends any bytes from the address that the server knows this client by. */
	async sendRaw(packet: Buffer): Promise<void> {
		await this.#connection.iceTransports[0]?.connection.send(packet);
	}

	/** Where the server's media port is. */
	remoteCandidate(): { host: string; port: number } {
		const [candidate] = this.#connection.iceTransports[0]?.connection.remoteCandidates ?? [];
		if (candidate === undefined) throw new Error("not connected");
		return candidate;
	}

	async close(): Promise<void> {
		this.#send({ case: "leave", value: new LeaveRequest() });
		this.#socket.close();
		await this.#connection.close();
	}

	async #publish(places: number): Promise<void> {
		this.#connection.createDataChannel("_reliable");
		// without a stream werift writes no a=msid; its track id there is the sender's, not the MediaStreamTrack's
		const { sender } = this.#connection.addTransceiver(this.#track, { direction: "sendonly", streams: [new MediaStream({ id: "call" })] });
		for (let i = 0; i < places; i++) this.#connection.addTransceiver("audio", { direction: "recvonly" });
		this.#send({
			case: "addTrack",
			value: new AddTrackRequest({ cid: sender.trackId, name: "call", type: TrackType.AUDIO, source: TrackSource.MICROPHONE }),
		});
		const connected = this.#connection.connectionStateChange.watch((state) => state === "connected", CONNECT_TIMEOUT_MS);
		await Promise.all([connected, this.#negotiate()]);
	}

	#negotiate(): Promise<void> {
		this.#negotiating = this.#negotiating.then(async () => {
			const offer = await this.#connection.createOffer();
			// werift asks a public STUN server unless it is told to have none
			for (const transport of this.#connection.iceTransports) Object.assign(transport.connection, { stunServer: undefined });
			await this.#connection.setLocalDescription(offer);
			const answered = new Promise<SessionDescription>((resolve) => {
				this.#answered = resolve;
			});
			this.#send({
				case: "offer",
				value: new SessionDescription({ type: "offer", sdp: this.#forge(this.#connection.localDescription?.sdp ?? ""), id: 1 }),
			});
			const answer = await answered;
			for (const [mid, trackId] of Object.entries(answer.midToTrackId)) this.#midToTrackId.set(mid, trackId);
			await this.#connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
		});
		return this.#negotiating;
	}

	#onMessage({ message }: SignalResponse): void {
		if (message.case === "answer") this.#answered?.(message.value);
		else if (message.case === "mediaSectionsRequirement") {
			for (let i = 0; i < message.value.numAudios; i++) this.#connection.addTransceiver("audio", { direction: "recvonly" });
			// closed meanwhile
			this.#negotiate().catch(() => undefined);
		}
	}

	#send(message: SignalRequest["message"]): void {
		this.#socket.send(new SignalRequest({ message }).toBinary());
	}
}
