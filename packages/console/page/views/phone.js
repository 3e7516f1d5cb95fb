import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { canJoinRooms, post, rooms, settings, sip } from "../api.js";
import { Dialog, Input, Problem, Select, time, useAction, useLoaded } from "../parts.js";
import { joinRoom, speak } from "../room.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const CODES = { "*": 10, "#": 11 };
const LEVELS_EVERY_MS = 150;
const isTelephone = (one) => one.attributes?.["sip.callID"] !== undefined || one.kind === 3;

/** A place in a room for whoever looks at the page: hears callers, speaks, presses keys, calls out. */
export function Phone({ room: given }) {
	const [name, setName] = useState(given ?? "hello");
	const [call, setCall] = useState();
	const [source, setSource] = useState();
	const [, redraw] = useState(0);
	const [ended, setEnded] = useState();
	const action = useAction();
	const held = useRef();
	useEffect(() => () => void held.current?.room.disconnect(), []);
	useEffect(() => {
		if (call === undefined) return undefined;
		const timer = setInterval(() => redraw((count) => count + 1), LEVELS_EVERY_MS);
		return () => clearInterval(timer);
	}, [call]);
	const join = (event) => {
		event.preventDefault();
		action.run(async () => {
			setEnded(undefined);
			const identity = `console-${Math.random().toString(36).slice(2, 8)}`;
			const joined = await joinRoom(
				name.trim(),
				identity,
				() => redraw((count) => count + 1),
				(reason) => {
					held.current = undefined;
					setCall(undefined);
					setEnded(reason);
				},
			);
			held.current = joined;
			setCall(joined);
			setSource(await speak(joined.room));
		});
	};
	if (!canJoinRooms())
		return html`<h1 tabindex="-1">Phone</h1><p class="note warn">Rooms can be joined by whoever is signed in with API key and secret.</p>`;
	if (call === undefined)
		return html`
			<h1 tabindex="-1">Phone</h1>
			<form class="panel" onSubmit=${join} style="max-width: 34rem">
				<p>Join a room: you hear who calls in, and can call out. The browser asks for the microphone.</p>
				<${Problem} error=${action.error} />
				${ended === undefined ? "" : html`<p class="note" role="status">You are out of the room.</p>`}
				<${Input} id="room" label="Room" value=${name} onInput=${setName} hint="calls to +15550100 reach the room hello, as long as the first rule is there" required />
				<button class="main" disabled=${action.busy}>${action.busy ? "Joining…" : "Join"}</button>
			</form>
		`;
	return html`<${InRoom} call=${call} source=${source} />`;
}

function InRoom({ call: { room, notes }, source }) {
	const me = room.localParticipant;
	const others = [...room.remoteParticipants.values()];
	const mute = useAction();
	const setMuted = async (on) => {
		for (const { track } of me.trackPublications.values()) if (track?.kind === "audio") await (on ? track.mute() : track.unmute());
	};
	const silenced = [...me.trackPublications.values()].some((one) => one.isMuted);
	return html`
		<div class="head"><h1 tabindex="-1">In room “${room.name}”</h1>
			<div class="actions">
				<button type="button" aria-pressed=${silenced ? "true" : "false"} onClick=${() => mute.run(() => setMuted(!silenced))}>${silenced ? "Unmute" : "Mute"}</button>
				${room.canPlaybackAudio === false ? html`<button type="button" class="main" onClick=${() => room.startAudio()}>Let it be heard</button>` : ""}
				<button type="button" class="danger" onClick=${() => room.disconnect()}>Leave</button>
			</div>
		</div>
		${source === "tone" && html`<p class="note warn">There is no microphone here, so the others hear a quiet tone.</p>`}
		<${Problem} error=${mute.error} />
		<div class="columns">
			<section class="panel" aria-label="Participants"><h2>Here</h2>
				<${Level} name="You" level=${me.audioLevel} />
				${others.length === 0 ? html`<p class="soft">Nobody else yet.</p>` : others.map((one) => html`<${Other} key=${one.sid} one=${one} room=${room} />`)}
			</section>
			<section class="panel" aria-label="Calls"><${CallMe} room=${room.name} /><${Dial} room=${room.name} /></section>
			<section class="panel" aria-label="Keypad"><h2>Keypad</h2><${Keypad} me=${me} /></section>
			<section class="panel" aria-label="What happened"><h2>What happened</h2>
				<ol class="timeline" aria-live="polite">${notes.map((one) => html`<li>${time(one.at)} ${one.text}</li>`)}</ol>
			</section>
		</div>
	`;
}

function Level({ name, level }) {
	return html`<p style="margin: 0.3rem 0">${name}<br /><meter min="0" max="1" value=${Math.min(1, level ?? 0)} aria-label=${`Loudness of ${name}`}></meter></p>`;
}

function Other({ one, room }) {
	const [transferring, setTransferring] = useState(false);
	const action = useAction();
	const name = one.name || one.identity;
	const video = { roomAdmin: true, room: room.name };
	const hangUp = () => action.run(() => rooms("RemoveParticipant", { room: room.name, identity: one.identity }, video));
	return html`
		<div style="border-top: 1px solid var(--line); padding-top: 0.5rem">
			<${Level} name=${name} level=${one.audioLevel} />
			${
				isTelephone(one) &&
				html`<p class="soft">Telephone${one.attributes?.["sip.callStatus"] ? `, ${one.attributes["sip.callStatus"]}` : ""}${one.attributes?.["sip.callID"] ? html` <a href=${`#/calls/${one.attributes["sip.callID"]}`}>its record</a>` : ""}</p>
				<div class="actions">
					<button type="button" onClick=${() => setTransferring(true)}>Transfer</button>
					<button type="button" class="danger" disabled=${action.busy} onClick=${hangUp} aria-label=${`Hang up ${name}`}>Hang up</button>
				</div>`
			}
			<${Problem} error=${action.error} />
			${transferring && html`<${Transfer} room=${room.name} identity=${one.identity} name=${name} onClose=${() => setTransferring(false)} />`}
		</div>
	`;
}

export function Transfer({ room, identity, name, onClose }) {
	const [to, setTo] = useState("");
	const action = useAction();
	const submit = (event) => {
		event.preventDefault();
		const target = /^(sip|sips|tel):/.test(to.trim()) ? to.trim() : `tel:${to.trim()}`;
		action.run(
			() =>
				sip(
					"TransferSIPParticipant",
					{ room_name: room, participant_identity: identity, transfer_to: target, play_dialtone: true },
					{ roomAdmin: true, room },
				),
			"Transferred.",
		);
	};
	return html`<${Dialog} title=${`Transfer ${name}`} onClose=${onClose}>
		<form onSubmit=${submit}>
			<${Problem} error=${action.error} />
			${action.said ? html`<p class="note good" role="status">${action.said}</p>` : ""}
			<${Input} id="transfer-to" label="To" value=${to} onInput=${setTo} hint="a number, or sip:… ; the caller leaves the room when the other side answers" required />
			<button class="main" disabled=${action.busy}>${action.busy ? "Waiting for the outcome…" : "Transfer"}</button>
		</form>
	<//>`;
}

/** The built-in telephone calls in: one person alone hears that it works. */
function CallMe({ room }) {
	const action = useAction();
	if (!settings().callMe) return "";
	const callMe = () =>
		action.run(
			() => post("/v1/test-calls", { room }),
			"The built-in telephone calls. You hear a tune; whatever you say comes back after it.",
		);
	return html`<h2>Call me</h2>
		<p>The built-in telephone calls into this room and plays a tune, then repeats what it hears.</p>
		<${Problem} error=${action.error} />
		${action.said ? html`<p class="note good" role="status">${action.said}</p>` : ""}
		<p><button type="button" class="main" disabled=${action.busy} onClick=${callMe}>Call me</button></p>`;
}

function Dial({ room }) {
	const { value } = useLoaded(async () => (await sip("ListSIPOutboundTrunk")).items ?? [], []);
	const [number, setNumber] = useState("");
	const [trunk, setTrunk] = useState();
	const action = useAction();
	if (value === undefined) return "";
	if (value.length === 0) return html`<h2>Call out</h2><p class="soft">Needs an <a href="#/trunks">outbound trunk</a>.</p>`;
	const submit = (event) => {
		event.preventDefault();
		const body = {
			sip_trunk_id: trunk ?? value[0].sip_trunk_id,
			sip_call_to: number.trim(),
			room_name: room,
			participant_identity: `phone-${Date.now()}`,
			participant_name: number.trim(),
			play_dialtone: true,
			wait_until_answered: true,
		};
		action.run(() => sip("CreateSIPParticipant", body), "Answered.");
	};
	return html`<h2>Call out</h2>
		<form onSubmit=${submit}>
			<${Problem} error=${action.error} />
			${action.said ? html`<p class="note good" role="status">${action.said}</p>` : ""}
			<${Select} id="by-trunk" label="By trunk" value=${trunk ?? value[0].sip_trunk_id} onInput=${setTrunk} options=${value.map((one) => [one.sip_trunk_id, one.name || one.sip_trunk_id])} />
			<${Input} id="number" label="Number" value=${number} onInput=${setNumber} type="tel" required />
			<button class="main" disabled=${action.busy}>${action.busy ? "Ringing…" : "Call"}</button>
		</form>`;
}

function Keypad({ me }) {
	const [sent, setSent] = useState("");
	const press = (key) => {
		me.publishDtmf(CODES[key] ?? Number(key), key);
		setSent((before) => `${before}${key}`.slice(-24));
	};
	return html`<div class="keypad" role="group" aria-label="Digits to the telephones">${KEYS.map((key) => html`<button type="button" onClick=${() => press(key)} aria-label=${{ "*": "star", "#": "pound" }[key] ?? key}>${key}</button>`)}</div>
		<p class="mono" aria-live="polite">${sent}</p>`;
}
