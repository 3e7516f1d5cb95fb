import type { Browser, Page } from "playwright-core";
import type { Room, RpcError } from "livekit-client";
import { AccessToken, type VideoGrant } from "livekit-server-sdk";
import type { Access } from "../e2e/participant.ts";
import { until } from "../e2e/testbed.ts";
import type { PageServer } from "./chromium.ts";

/** What runs in the page; `window.trunkline`. Plain JavaScript, for it is sent as text. */
const IN_PAGE = `
import * as livekit from "/livekit-client.mjs";
const sockets = [];
globalThis.WebSocket = class extends WebSocket { constructor(...how) { super(...how); sockets.push(this); } };
livekit.setLogLevel("error");
const room = new livekit.Room(globalThis.roomOptions);
const context = new AudioContext({ sampleRate: 48000 });
const heard = new Map();
const seen = new Map();
const shown = new Map();
let colour = [0, 0, 0];

const state = { left: [], digits: [], attributes: {}, data: [], speakers: [], reconnects: 0, video: [], events: [] };
const happened = (...words) => void state.events.push(words.join(" "));
for (const name of ["trackPublished", "trackUnpublished"]) room.on(name, (one, whose) => happened(name, whose.identity, one.source));
for (const name of ["trackMuted", "trackUnmuted"]) room.on(name, (one, whose) => happened(name, whose.identity, one.source));
for (const name of ["localTrackPublished", "localTrackUnpublished"]) room.on(name, (one) => happened(name, one.source));
for (const name of ["trackSubscribed", "trackUnsubscribed"]) room.on(name, (_track, one, whose) => happened(name, whose.identity, one.source));
for (const name of ["participantConnected", "participantDisconnected"]) room.on(name, (whose) => happened(name, whose.identity));
for (const name of ["signalReconnecting", "reconnecting", "reconnected"]) room.on(name, () => happened(name));
room.on("disconnected", (reason) => happened("disconnected", livekit.DisconnectReason[reason]));
room.on("participantMetadataChanged", (_before, whose) => happened("metadata", whose.identity, whose.metadata));
room.on("participantNameChanged", (name, whose) => happened("name", whose.identity, name));
room.on("participantAttributesChanged", (changed, whose) => happened("attributes", whose.identity, JSON.stringify(changed)));
room.on("participantPermissionsChanged", (_before, whose) => happened("permissions", whose.identity, "publish", whose.permissions.canPublish));
room.on("roomMetadataChanged", (metadata) => happened("roomMetadata", metadata));
room.on("activeSpeakersChanged", (all) => happened("speakers", ...all.map((one) => one.identity).sort()));
room.on("connectionQualityChanged", (quality, whose) => happened("quality", whose.identity, quality));
room.on("chatMessage", (message, whose) => happened("chat", whose?.identity, message.message));
room.on("participantDisconnected", (one) => state.left.push(one.identity));
room.on("sipDTMFReceived", (dtmf, one) => state.digits.push({ digit: dtmf.digit, from: one?.identity ?? "" }));
room.on("participantAttributesChanged", (changed, one) => { state.attributes[one.identity] = { ...state.attributes[one.identity], ...changed }; });
room.on("dataReceived", (bytes, one, kind, topic) => {
	state.data.push({ text: new TextDecoder().decode(bytes), from: one?.identity ?? "", topic, kind: kind === 0 ? "reliable" : "lossy" });
});
room.on("activeSpeakersChanged", (all) => { state.speakers = all.map((one) => one.identity); });
room.on("reconnected", () => { state.reconnects += 1; });
room.on("trackSubscribed", async (track, _publication, one) => {
	const element = track.attach();
	if (track.kind === "video") {
		element.muted = true;
		document.body.append(element);
		seen.set(one.identity, element);
		shown.set(one.identity + " " + track.source, track);
		return void state.video.push({ from: one.identity, source: track.source });
	}
	const source = context.createMediaStreamSource(new MediaStream([track.mediaStreamTrack]));
	const analyser = context.createAnalyser();
	analyser.fftSize = 32768;
	analyser.smoothingTimeConstant = 0;
	source.connect(analyser);
	heard.set(one.identity, analyser);
});
window.trunkline = {
	livekit, room, state,
	async join(url, token, options) { await context.resume(); await room.connect(url, token, options); return room.name; },
	/** what another client is told when it joins with this token */
	async refused(url, token) {
		const other = new livekit.Room(globalThis.roomOptions);
		try {
			await other.connect(url, token);
			await other.disconnect();
			return undefined;
		} catch (error) {
			return { reason: livekit.ConnectionErrorReason[error.reason], status: error.status, message: error.message };
		}
	},
	async speak(hz) {
		const oscillator = context.createOscillator();
		oscillator.frequency.value = hz;
		const gain = context.createGain();
		gain.gain.value = 0.1;
		const out = context.createMediaStreamDestination();
		oscillator.connect(gain).connect(out);
		oscillator.start();
		const publication = await room.localParticipant.publishTrack(out.stream.getAudioTracks()[0], { source: "microphone", dtx: false, red: false });
		return publication.trackSid;
	},
	hears() { return [...heard.keys()]; },
	/** cuts the WebSocket that is open now, or has LiveKit's client act out a failure */
	cut() { for (const socket of sockets) socket.close(); },
	simulate(scenario) { return room.simulateScenario(scenario); },
	/** publishes a canvas that is of this colour all over */
	async show(red, green, blue, options) {
		const canvas = document.createElement("canvas");
		canvas.width = 320;
		canvas.height = 240;
		const paint = canvas.getContext("2d");
		colour = [red, green, blue];
		setInterval(() => { paint.fillStyle = "rgb(" + colour.join() + ")"; paint.fillRect(0, 0, 320, 240); }, 50);
		const publication = await room.localParticipant.publishTrack(canvas.captureStream(20).getVideoTracks()[0], { source: "camera", ...options });
		return publication.trackSid;
	},
	/** what is received of somebody's video, as the browser counts it; undefined: nothing yet */
	async video(identity, source) {
		const report = await shown.get(identity + " " + source)?.getRTCStatsReport();
		const all = [...(report?.values() ?? [])];
		const inbound = all.find((one) => one.type === "inbound-rtp");
		if (inbound === undefined) return undefined;
		const { framesDecoded, framesDropped, keyFramesDecoded, frameWidth, frameHeight, packetsLost, nackCount, pliCount } = inbound;
		const codec = all.find((one) => one.id === inbound.codecId)?.mimeType;
		return { framesDecoded, framesDropped, keyFramesDecoded, frameWidth, frameHeight, packetsLost, nackCount, pliCount, codec };
	},
	paint(red, green, blue) { colour = [red, green, blue]; },
	/** the colour in the middle of what is seen of somebody; undefined: nothing yet */
	sees(identity) {
		const element = seen.get(identity);
		if (!element || element.videoWidth === 0) return undefined;
		const canvas = document.createElement("canvas");
		canvas.width = canvas.height = 1;
		const context = canvas.getContext("2d");
		context.drawImage(element, element.videoWidth / 2, element.videoHeight / 2, 1, 1, 0, 0, 1, 1);
		return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
	},
	/** the strongest frequency that is heard from somebody, Hz, and its level, dB of the analyser */
	strongest(identity) {
		const analyser = heard.get(identity);
		const bins = new Float32Array(analyser.frequencyBinCount);
		analyser.getFloatFrequencyData(bins);
		let best = 1;
		for (let bin = 2; bin < bins.length; bin++) if (bins[bin] > bins[best]) best = bin;
		return { hz: (best * context.sampleRate) / analyser.fftSize, db: bins[best] };
	},
};
`;

interface InPage {
	join(url: string, token: string, options: { autoSubscribe: boolean }): Promise<string>;
	refused(url: string, token: string): Promise<{ reason: string; status: number; message: string } | undefined>;
	speak(hz: number): Promise<string>;
	hears(): string[];
	strongest(identity: string): { hz: number; db: number };
	state: PageState;
	cut(): void;
	simulate(scenario: string): Promise<void>;
	show(red: number, green: number, blue: number, options: Record<string, unknown>): Promise<string>;
	paint(red: number, green: number, blue: number): void;
	sees(identity: string): number[] | undefined;
	video(identity: string, source: string): Promise<VideoReceived | undefined>;
	livekit: { RpcError: typeof RpcError };
	room: Room;
}

/** Counts of one received track, as browsers name them (webrtc-stats). */
export interface VideoReceived {
	framesDecoded: number;
	framesDropped: number;
	keyFramesDecoded: number;
	frameWidth: number;
	frameHeight: number;
	packetsLost: number;
	nackCount: number;
	pliCount: number;
	codec: string;
}

export interface PageState {
	left: string[];
	digits: { digit: string; from: string }[];
	attributes: Record<string, Record<string, string>>;
	data: { text: string; from: string; topic: string | undefined; kind: "reliable" | "lossy" }[];
	speakers: string[];
	reconnects: number;
	video: { from: string; source: string }[];
	/** what the client has told, in order: the event, who, what */
	events: string[];
}

/** How somebody joins. */
export interface Joining {
	singlePeerConnection?: boolean;
	grant?: VideoGrant;
	ttlSeconds?: number;
	autoSubscribe?: boolean;
	/** the rest of the client's options */
	[option: string]: unknown;
}

declare global {
	// eslint-disable-next-line no-var
	var trunkline: InPage;
}

/** A participant in a real browser: LiveKit's own client, unmodified. */
export class RoomPage {
	readonly page: Page;

	readonly #roomOptions: Record<string, unknown>;
	readonly #connect: readonly [url: string, jwt: string, options: { autoSubscribe: boolean }];

	static async join(
		browser: Browser,
		server: PageServer,
		access: Access,
		roomName: string,
		identity: string,
		{ grant, ttlSeconds = 600, autoSubscribe = true, ...roomOptions }: Joining = {},
	): Promise<RoomPage> {
		const token = new AccessToken(access.apiKey, access.apiSecret, { identity, ttl: ttlSeconds });
		token.addGrant({ roomJoin: true, room: roomName, canPublish: true, canSubscribe: true, canPublishData: true, ...grant });
		const url = access.url.replace(/^http/, "ws");
		const page = await browser.newPage();
		await page.goto(server.url);
		const joined = new RoomPage(page, roomOptions, [url, await token.toJwt(), { autoSubscribe }]);
		await joined.#enter();
		return joined;
	}

	private constructor(
		page: Page,
		roomOptions: Record<string, unknown>,
		connect: readonly [url: string, jwt: string, options: { autoSubscribe: boolean }],
	) {
		this.page = page;
		this.#roomOptions = roomOptions;
		this.#connect = connect;
	}

	async #enter(): Promise<void> {
		await this.page.evaluate((given) => Object.assign(globalThis, { roomOptions: given }), this.#roomOptions);
		await this.page.addScriptTag({ type: "module", content: IN_PAGE });
		await this.page.waitForFunction(() => "trunkline" in globalThis);
		await this.page.evaluate((how) => globalThis.trunkline.join(...how), this.#connect);
	}

	/** As somebody does who presses F5: the page is gone, and joins anew with the token it had. */
	async reload(): Promise<void> {
		await this.page.reload();
		await this.#enter();
	}

	/** Waits until the client has told this so many times; gives all that it told. */
	async told(event: string | RegExp, times = 1): Promise<string[]> {
		const matches = (one: string): boolean => (typeof event === "string" ? one === event : event.test(one));
		let events: string[] = [];
		await until(
			async () => {
				({ events } = await this.state());
				return events.filter(matches).length >= times;
			},
			() => `the page to be told "${String(event)}" (${times}); it was told ${JSON.stringify(events)}`,
		);
		return events;
	}

	/** Runs in the page; what is given must not refer to anything else. */
	run<T>(work: (room: Room) => T | Promise<T>): Promise<T>;
	run<T, A>(work: (room: Room, given: A) => T | Promise<T>, given: A): Promise<T>;
	run<T, A>(work: (room: Room, given: A) => T | Promise<T>, given?: A): Promise<T> {
		return this.page.evaluate(`(${work.toString()})(globalThis.trunkline.room, ${JSON.stringify(given) ?? "undefined"})`);
	}

	video(of: string, source = "camera"): Promise<VideoReceived | undefined> {
		return this.page.evaluate(([identity, kind]) => globalThis.trunkline.video(identity, kind), [of, source] as const);
	}

	/** Publishes a steady tone; gives the track's sid. */
	speak(hz: number): Promise<string> {
		return this.page.evaluate((frequency) => globalThis.trunkline.speak(frequency), hz);
	}

	hears(): Promise<string[]> {
		return this.page.evaluate(() => globalThis.trunkline.hears());
	}

	strongest(identity: string): Promise<{ hz: number; db: number }> {
		return this.page.evaluate((from) => globalThis.trunkline.strongest(from), identity);
	}

	state(): Promise<PageState> {
		return this.page.evaluate(() => globalThis.trunkline.state);
	}

	/** Cuts its WebSocket. */
	cut(): Promise<void> {
		return this.page.evaluate(() => globalThis.trunkline.cut());
	}

	simulate(scenario: "signal-reconnect" | "full-reconnect" | "resume-reconnect"): Promise<void> {
		return this.page.evaluate((name) => globalThis.trunkline.simulate(name), scenario);
	}

	/** Publishes a picture of one colour, red, green and blue 0 to 255; gives the track's sid. */
	show(colour: readonly [number, number, number], options: Record<string, unknown> = {}): Promise<string> {
		return this.page.evaluate(([rgb, more]) => globalThis.trunkline.show(...rgb, more), [colour, options] as const);
	}

	paint(colour: readonly [number, number, number]): Promise<void> {
		return this.page.evaluate((rgb) => globalThis.trunkline.paint(...rgb), colour);
	}

	/** The colour that is seen of somebody. */
	sees(identity: string): Promise<number[] | undefined> {
		return this.page.evaluate((from) => globalThis.trunkline.sees(from), identity);
	}

	async leave(): Promise<void> {
		await this.page.evaluate(() => globalThis.trunkline.room.disconnect());
		await this.page.close();
	}
}
