import { html, useState } from "../vendor/preact.js";
import { ApiError, download, get, post, put } from "../api.js";
import { Ladder } from "../ladder.js";
import { duration, Problem, StateTag, time, useAction, useLoaded } from "../parts.js";
import { Plot } from "../plots.js";
import { Steps } from "./explain.js";
import { Transfer } from "./phone.js";

const LIVE_MS = 2_000;
const isLive = (call) => call.end === undefined && call.state !== "cancelled";

/** All that is known of one call, while it runs and afterwards. */
export function CallView({ id }) {
	const path = `/v1/calls/${encodeURIComponent(id)}`;
	const { value: call, error, loading, reload } = useLoaded(() => get(path), [id], LIVE_MS);
	const trace = useLoaded(() => orNone(get(`${path}/trace`)), [id], LIVE_MS);
	if (call === undefined) return html`<h1 tabindex="-1">Call</h1><${Problem} error=${error} />${loading ? html`<p>Loading…</p>` : ""}`;
	return html`
		<div class="head"><h1 tabindex="-1">${call.from || "unknown"} → ${call.to || "unknown"} <${StateTag} call=${call} /></h1><a href="#/calls">All calls</a></div>
		<${Problem} error=${error} />
		<${Ending} call=${call} />
		${isLive(call) ? html`<${Controls} call=${call} path=${path} onDone=${reload} />` : ""}
		<div class="columns">
			<section class="panel" aria-label="Facts"><h2>Facts</h2><${Facts} call=${call} /></section>
			<section class="panel" aria-label="Decision"><h2>Decision</h2>${call.decision ? html`<p>${call.decision.summary}</p><${Steps} steps=${call.decision.steps} />` : html`<p class="soft">${call.direction === "outbound" ? "The API chose trunk and room." : "None was needed."}</p>`}</section>
		</div>
		<section class="panel" aria-label="SIP messages" style="margin-top: 1rem">
			<div class="head"><h2>SIP messages</h2>${trace.value ? html`<button type="button" onClick=${() => download(`${path}/trace.pcapng`, `${id}.pcapng`)}>Download for Wireshark (.pcapng)</button>` : ""}</div>
			<${Problem} error=${trace.error} />
			${trace.value ? html`<${Ladder} trace=${trace.value} />` : html`<p class="soft">${trace.loading ? "Loading…" : "No trace of this call is kept."}</p>`}
		</section>
		<${Quality} media=${call.media} />
		<section class="panel" aria-label="Timeline"><h2>Timeline</h2>
			<ol class="timeline">${call.timeline.map((entry) => html`<li>${time(entry.at)} <strong>${entry.event}</strong> ${entry.detail ?? ""}</li>`)}</ol>
		</section>
	`;
}

/** Why it ended, and what to do about it. */
function Ending({ call }) {
	const explained = call.explanation;
	if (explained === undefined && call.end === undefined) return "";
	const fine = explained !== undefined && !explained.failed;
	return html`<div class=${`note ${fine ? "" : "bad"}`}>
		<p><strong>${explained?.what ?? call.end?.text}</strong></p>
		${explained?.why ? html`<p>${explained.why}</p>` : ""}
		${explained?.whatToDo ? html`<p>What to do: ${explained.whatToDo}</p>` : ""}
	</div>`;
}

function Facts({ call }) {
	const facts = [
		["Call", html`<span class="mono">${call.id}</span>`],
		["Direction", `${call.direction}, region ${call.region}`],
		["Trunk", call.trunkId && html`<span class="mono">${call.trunkId}</span>`],
		["Rule", call.ruleId && html`<span class="mono">${call.ruleId}</span>`],
		["Room", call.roomName && html`<a href=${`#/phone/${encodeURIComponent(call.roomName)}`}>${call.roomName}</a>`],
		["Participant", call.participant.identity],
		["Began", time(call.createdAt)],
		["Answered", call.answeredAt && html`${time(call.answeredAt)} <span class="soft">after ${call.answeredAt - call.createdAt} ms</span>`],
		[
			"Ended",
			call.endedAt &&
				html`${time(call.endedAt)}${call.answeredAt ? html` <span class="soft">${duration(call.endedAt - call.answeredAt)} of talk</span>` : ""}`,
		],
		["Audio", call.media && `${call.media.codec}${call.media.srtp ? `, encrypted (${call.media.srtp})` : ", not encrypted"}`],
		["Recording", call.recording && (call.recording.problem ?? call.recording.key)],
		["SIP Call-ID", call.sipCallId && html`<span class="mono">${call.sipCallId}</span>`],
	];
	return html`<dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function Controls({ call, path, onDone }) {
	const action = useAction();
	const [transferring, setTransferring] = useState(false);
	const act = (body, done) => action.run(async () => (await body(), onDone()), done);
	const answered = call.state === "active";
	return html`<section class="panel" aria-label="Control">
		<${Problem} error=${action.error} />
		${action.said ? html`<p class="note good" role="status">${action.said}</p>` : ""}
		<div class="actions">
			<button class="danger" type="button" disabled=${action.busy} onClick=${() => act(() => post(`${path}/hangup`), "Hung up.")}>Hang up</button>
			${
				answered &&
				html`<button type="button" disabled=${action.busy} onClick=${() => act(() => post(`${path}/hold`, { on: true }), "On hold.")}>Hold</button>
				<button type="button" disabled=${action.busy} onClick=${() => act(() => post(`${path}/hold`, { on: false }), "No longer on hold.")}>Resume</button>
				<button type="button" disabled=${action.busy} onClick=${() => setTransferring(true)}>Transfer</button>
				<button type="button" disabled=${action.busy} onClick=${() => act(() => put(`${path}/noise-suppression`, { uplink: true }), "Noise suppression is on.")}>Noise suppression on</button>
				<button type="button" disabled=${action.busy} onClick=${() => act(() => put(`${path}/noise-suppression`, { uplink: false }), "Noise suppression is off.")}>Noise suppression off</button>
				<button type="button" disabled=${action.busy} onClick=${() => act(() => post(`${path}/recording`, { action: "start" }), "Recording.")}>Record</button>
				<button type="button" disabled=${action.busy} onClick=${() => act(() => post(`${path}/recording`, { action: "stop" }), "Recording is over.")}>Stop recording</button>
				<a class="button" href=${`#/phone/${encodeURIComponent(call.roomName)}`}>Join the room</a>`
			}
		</div>
		${transferring && html`<${Transfer} room=${call.roomName} identity=${call.participant.identity} name=${call.participant.identity} onClose=${() => setTransferring(false)} />`}
	</section>`;
}

const SIDES = [
	["uplink", "telephone → room"],
	["downlink", "room → telephone"],
];

function Quality({ media }) {
	const quality = media?.quality;
	if (quality === undefined) return "";
	const series = (name) =>
		SIDES.map(([side, label]) => ({ name: label, values: quality[side]?.scores?.[name] ?? [] })).filter(({ values }) => values.length > 0);
	const everyMs = quality.uplink?.scores?.everyMs ?? quality.downlink?.scores?.everyMs ?? 5_000;
	const plots = [
		["MOS", "1 bad – 4.5 best", series("mos"), [1, 4.6]],
		["Loss", "%", series("lossPercent"), undefined],
		["Loudness", "dBov, 0 is loudest", series("levelDbov"), [-90, 0]],
	];
	return html`<section class="panel" aria-label="Quality"><h2>Quality</h2>
		<table class="cards"><thead><tr><th scope="col">Direction</th><th scope="col">Packets</th><th scope="col">Lost</th><th scope="col">Late</th><th scope="col">Concealed</th><th scope="col">Jitter</th><th scope="col">Round trip</th><th scope="col">MOS (worst)</th></tr></thead>
		<tbody>${SIDES.filter(([side]) => quality[side]).map(([side, label]) => {
			const one = quality[side];
			return html`<tr><td data-label="Direction"><span>${label}</span></td><td data-label="Packets"><span>${one.packets}</span></td><td data-label="Lost"><span>${one.lost}</span></td><td data-label="Late"><span>${one.late}</span></td><td data-label="Concealed"><span>${one.concealed}</span></td><td data-label="Jitter"><span>${ms(one.jitterMs)}</span></td><td data-label="Round trip"><span>${ms(one.roundTripMs)}</span></td><td data-label="MOS"><span>${one.mos?.toFixed(2) ?? "–"} (${one.minMos?.toFixed(2) ?? "–"})</span></td></tr>`;
		})}</tbody></table>
		<div class="columns" style="margin-top: 1rem">${plots.filter(([, , lines]) => lines.length > 0).map(([title, unit, lines, range]) => html`<${Plot} key=${title} title=${title} unit=${unit} everyMs=${everyMs} series=${lines} range=${range} />`)}</div>
	</section>`;
}

const ms = (value) => (value === undefined ? "–" : `${value.toFixed(1)} ms`);

async function orNone(answer) {
	try {
		return await answer;
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) return undefined;
		throw error;
	}
}
