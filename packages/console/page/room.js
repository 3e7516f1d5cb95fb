// The browser's place in a room: LiveKit's own client, loaded when somebody joins.
import { roomUrl, tokenFor } from "./api.js";

let loading;

function livekit() {
	loading ??= new Promise((resolve, reject) => {
		const script = document.createElement("script");
		script.src = "vendor/livekit-client.js";
		script.onload = () => resolve(globalThis.LivekitClient);
		script.onerror = () => reject(new Error("LiveKit's client could not be loaded."));
		document.head.append(script);
	});
	return loading;
}

/** `onChange` is told whenever something is worth drawing again. */
export async function joinRoom(name, identity, onChange, onEnd) {
	const client = await livekit();
	client.setLogLevel("warn");
	const room = new client.Room();
	const notes = [];
	const note = (text) => {
		notes.unshift({ at: Date.now(), text });
		notes.length = Math.min(notes.length, 50);
		onChange();
	};
	const players = new Map();
	room.on("trackSubscribed", (track) => {
		if (track.kind === "audio") players.set(track.sid, document.body.appendChild(track.attach()));
		onChange();
	});
	room.on("trackUnsubscribed", (track) => {
		for (const element of track.detach()) element.remove();
		players.delete(track.sid);
		onChange();
	});
	room.on("participantConnected", (one) => note(`${one.name || one.identity} is here`));
	room.on("participantDisconnected", (one) => note(`${one.name || one.identity} has left`));
	room.on("participantAttributesChanged", (changed, one) => {
		if (changed["sip.callStatus"] !== undefined) note(`${one.name || one.identity}: ${changed["sip.callStatus"]}`);
		onChange();
	});
	room.on("sipDTMFReceived", (dtmf, one) => note(`${one?.name || one?.identity} pressed ${dtmf.digit}`));
	for (const event of [
		"activeSpeakersChanged",
		"trackMuted",
		"trackUnmuted",
		"localTrackPublished",
		"reconnecting",
		"reconnected",
		"audioPlaybackChanged",
	])
		room.on(event, onChange);
	const end = (reason) => {
		for (const element of players.values()) element.remove();
		onEnd(reason);
	};
	room.on("disconnected", end);
	const token = await tokenFor(
		{ roomJoin: true, room: name, canPublish: true, canSubscribe: true, canPublishData: true, canUpdateOwnMetadata: true },
		identity,
		{ name: "Console" },
	);
	await room.connect(roomUrl(), token);
	return { room, notes };
}

/** The computer's microphone; where there is none, or it is not allowed, a quiet tone takes its place, so that the other side hears something. */
export async function speak(room) {
	try {
		await room.localParticipant.setMicrophoneEnabled(true, { echoCancellation: true, noiseSuppression: true });
		return "microphone";
	} catch {
		const context = new AudioContext();
		const tone = context.createOscillator();
		const volume = context.createGain();
		const out = context.createMediaStreamDestination();
		tone.frequency.value = 440;
		volume.gain.value = 0.05;
		tone.connect(volume).connect(out);
		tone.start();
		await room.localParticipant.publishTrack(out.stream.getAudioTracks()[0], { source: "microphone", name: "tone" });
		return "tone";
	}
}
