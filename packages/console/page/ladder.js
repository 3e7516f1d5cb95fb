// A call's SIP messages as arrows between the parties, one row each, and what the call did between them.
import { html, useState } from "./vendor/preact.js";

const ROW = 34;
const TOP = 46;
/** where the first and the last party stand, in CSS pixels where the page is as wide; on a telephone's screen two parties stand closer, so that letters keep their size */
const WIDE = { width: 820, least: 544, first: 130, last: 740, letters: 80 };
const NARROW = { width: 330, least: 280, first: 66, last: 272, letters: 30 };
const isNarrow = globalThis.matchMedia("(max-width: 44rem)");

/** `trace`: what GET /v1/calls/{id}/trace gives. */
export function Ladder({ trace }) {
	const [open, setOpen] = useState();
	const { participants, entries } = trace;
	if (!entries.some(({ kind }) => kind === "message")) return html`<p class="soft">No SIP message is kept.</p>`;
	const size = isNarrow.matches && participants.length <= 2 ? NARROW : WIDE;
	const places = new Map(
		participants.map(({ id }, index) => [id, size.first + ((size.last - size.first) * index) / Math.max(1, participants.length - 1)]),
	);
	const ours = new Set(participants.filter(({ kind }) => kind === "trunkline").map(({ id }) => id));
	const height = TOP + ROW * entries.length + 14;
	const shown = open === undefined ? undefined : entries[open];
	return html`
		<p>${trace.summary}</p>
		<div class="ladder" tabindex="0" role="group" aria-label="SIP messages as arrows; the list below says the same in words">
			<svg viewBox=${`0 0 ${size.width} ${height}`} style=${`min-width: ${size.least}px`} aria-hidden="true">
				${participants.map(({ id, name }) => html`<text x=${places.get(id)} y="20" text-anchor="middle" font-weight="600">${name}</text><line class="life" x1=${places.get(id)} x2=${places.get(id)} y1="30" y2=${height - 6} />`)}
				${entries.map((entry, index) => {
					const y = TOP + ROW * index + 12;
					return entry.kind === "message"
						? html`<${Arrow} entry=${entry} y=${y} from=${places.get(entry.from)} to=${places.get(entry.to)} sent=${ours.has(entry.from)} width=${size.width} onOpen=${() => setOpen(index)} />`
						: html`<g><text class="at" x="4" y=${y + 4}>+${offset(entry)}</text><text class="at" x=${size.first + 14} y=${y + 4}>· ${short([entry.label, entry.detail].filter(Boolean).join(": "), size.letters)}</text></g>`;
				})}
			</svg>
		</div>
		${shown?.text && html`<pre tabindex="0" aria-label="the message">${shown.text}</pre>`}
		${trace.dropped > 0 ? html`<p class="note warn">${trace.dropped} more messages were not kept.</p>` : ""}
		<details><summary>All of it in words</summary>
			<ol class="timeline">${entries.map(
				(entry, index) =>
					html`<li><span class="soft">+${offset(entry)}</span> ${
						entry.kind === "message"
							? html`${nameOf(participants, entry.from)} → ${nameOf(participants, entry.to)}: <strong>${entry.label}</strong>${entry.retransmission ? " (sent again)" : ""} <button type="button" onClick=${() => setOpen(open === index ? undefined : index)} aria-expanded=${open === index ? "true" : "false"} aria-label=${`Text of ${entry.label}`}>text</button>${open === index ? html`<pre>${entry.text}</pre>` : ""}`
							: html`${entry.label} ${entry.detail ?? ""}`
					}</li>`,
			)}</ol>
		</details>
	`;
}

function Arrow({ entry, y, from, to, sent, width, onOpen }) {
	const kind = sent ? "sent" : "received";
	const head = to > from ? -9 : 9;
	return html`<g onClick=${onOpen} style="cursor: pointer">
		<rect x="0" y=${y - 20} width=${width} height=${ROW} fill="transparent" />
		<text class="at" x="4" y=${y + 4}>+${offset(entry)}</text>
		<text x=${(from + to) / 2} y=${y - 5} text-anchor="middle">${entry.label}${entry.retransmission ? " (again)" : ""}</text>
		<line class=${kind} x1=${from} x2=${to + head / 2} y1=${y} y2=${y} stroke-width="1.8" stroke-dasharray=${entry.retransmission ? "5 4" : undefined} />
		<path class=${kind} d=${`M ${to} ${y} l ${head} -5 l 0 10 z`} />
	</g>`;
}

const offset = ({ offsetMs }) => (offsetMs < 10_000 ? `${Math.round(offsetMs)} ms` : `${(offsetMs / 1000).toFixed(1)} s`);
const short = (text, letters) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
const nameOf = (participants, id) => participants.find((one) => one.id === id)?.name ?? id;
