/** Entry of a media worker's thread: RTP sockets, clocks and room connections of its calls. Nothing else of the node is loaded here. */
import { parentPort, workerData } from "node:worker_threads";
import { RtpSessions } from "../media/media-port.ts";
import { Ticker } from "../media/ticker.ts";
import { LiveKitRoomConnector } from "../room/livekit-room-connector.ts";
import { ClockLateness } from "./clock-lateness.ts";
import { type FromWorker, PortTakenError, type ToWorker, type WorkerSettings } from "./protocol.ts";
import { WorkerSide } from "./worker-side.ts";

/** less than the main thread waits */
const LAST_WRITES_MS = 1_000;

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");

const { media, beatMs, roomRecoveryMs, roomRelays } = workerData as WorkerSettings;
const post = (message: FromWorker): void => port.postMessage(message);
const lateness = new ClockLateness();
const ticker = new Ticker((lateMs) => lateness.step(lateMs));
const sessions = new RtpSessions(media, ticker);
const side = new WorkerSide({
	post,
	open: async (rtpPort, family, onEvent, onClose) => {
		try {
			return await sessions.open(rtpPort, family, onEvent, onClose);
		} catch (error) {
			throw new PortTakenError(error instanceof Error ? error.message : String(error), { cause: error });
		}
	},
	rooms: new LiveKitRoomConnector({
		...(roomRecoveryMs === undefined ? {} : { recoveryMs: roomRecoveryMs }),
		...(roomRelays === undefined ? {} : { relays: roomRelays }),
	}),
});

// One call's fault must not take the others along: they go on here, and new ones are placed in another thread.
process.on("uncaughtException", (error: unknown) => {
	post({ from: "fault", error: error instanceof Error ? error : new Error(String(error)) });
});

port.on("message", (message: ToWorker) => {
	if (message.to !== "close") return side.receive(message);
	void side.close().finally(() => {
		clearInterval(beat);
		port.unref();
		// Files that are being written keep the thread; what else does is of no use to anybody.
		setTimeout(() => process.exit(0), LAST_WRITES_MS).unref();
	});
});
const beat = setInterval(() => post({ from: "beat", lateMs: lateness.look(), lateFrames: ticker.lateFrames }), beatMs);
post({ from: "ready" });
