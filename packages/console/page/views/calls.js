import { html, useState } from "../vendor/preact.js";
import { get } from "../api.js";
import { duration, Input, Problem, Select, StateTag, time, useLoaded } from "../parts.js";

const REFRESH_MS = 2_000;
const PAGE = 50;

export function Calls() {
	const [direction, setDirection] = useState("");
	const [room, setRoom] = useState("");
	const [trunk, setTrunk] = useState("");
	const [state, setState] = useState("");
	const query = Object.entries({ direction, room: room.trim(), trunk: trunk.trim(), state })
		.filter(([, value]) => value !== "")
		.map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
		.join("&");
	const { value, error, loading } = useLoaded(() => get(`/v1/calls?limit=${PAGE}&${query}`), [query], REFRESH_MS);
	const [more, setMore] = useState([]);
	const [cursor, setCursor] = useState();
	const [moreError, setMoreError] = useState();
	const next = cursor === undefined ? value?.nextCursor : cursor;
	const older = async () => {
		try {
			const page = await get(`/v1/calls?limit=${PAGE}&${query}&cursor=${encodeURIComponent(next)}`);
			setMore([...more, ...page.calls]);
			setCursor(page.nextCursor ?? "");
		} catch (failed) {
			setMoreError(failed);
		}
	};
	const shown = new Map([...(value?.calls ?? []), ...more].map((call) => [call.id, call]));
	const calls = [...shown.values()];
	const live = calls.filter((call) => call.end === undefined && call.state !== "cancelled").length;
	const filter = (set) => (next_) => {
		setMore([]);
		setCursor(undefined);
		set(next_);
	};
	return html`
		<div class="head"><h1 tabindex="-1">Calls</h1><p class="soft" aria-live="polite">${loading ? "Loading…" : `${live} live of ${calls.length} shown`}</p></div>
		<div class="filters">
			<${Select} id="state" label="State" value=${state} onInput=${filter(setState)} options=${[["", "any"], ["live", "live"], ["active", "active"], ["ringing", "ringing"], ["ended", "ended"], ["cancelled", "cancelled"]]} />
			<${Select} id="direction" label="Direction" value=${direction} onInput=${filter(setDirection)} options=${[["", "both"], ["inbound", "inbound"], ["outbound", "outbound"]]} />
			<${Input} id="room" label="Room" value=${room} onInput=${filter(setRoom)} />
			<${Input} id="trunk" label="Trunk id" value=${trunk} onInput=${filter(setTrunk)} />
		</div>
		<${Problem} error=${error ?? moreError} />
		<div class="panel">
			${
				calls.length === 0 && !loading
					? html`<p>No calls${query === "" ? " yet" : " that fit"}. <a href="#/phone">Be in a room and let the built-in telephone call you</a>, or ask <a href="#/explain">what would happen to a call</a>.</p>`
					: html`<table class="cards">
						<caption class="live">Calls, newest first</caption>
						<thead><tr><th scope="col">When</th><th scope="col">From</th><th scope="col">To</th><th scope="col">State</th><th scope="col">Room</th><th scope="col">Length</th><th scope="col">MOS</th></tr></thead>
						<tbody>${calls.map((call) => html`<${Row} key=${call.id} call=${call} />`)}</tbody>
					</table>`
			}
			${next ? html`<p><button type="button" onClick=${older}>Older calls</button></p>` : ""}
		</div>
	`;
}

function Row({ call }) {
	const length = call.answeredAt === undefined ? undefined : (call.endedAt ?? Date.now()) - call.answeredAt;
	const mos = Math.min(...["uplink", "downlink"].map((side) => call.media?.quality?.[side]?.mos ?? 9));
	return html`<tr>
		<td data-label="When"><span><a href=${`#/calls/${call.id}`}>${time(call.createdAt)}</a></span></td>
		<td data-label="From"><span>${call.direction === "inbound" ? "→ " : "← "}${call.from || "–"}</span></td>
		<td data-label="To"><span>${call.to || "–"}</span></td>
		<td data-label="State"><span><${StateTag} call=${call} /></span></td>
		<td data-label="Room"><span>${call.roomName || "–"}</span></td>
		<td data-label="Length"><span>${duration(length) || "–"}</span></td>
		<td data-label="MOS"><span>${mos < 9 ? mos.toFixed(2) : "–"}</span></td>
	</tr>`;
}
