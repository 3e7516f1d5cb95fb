// Small pieces that several views are made of.
import { html, useEffect, useRef, useState } from "./vendor/preact.js";

/** Text for people of what went wrong. */
export function Problem({ error }) {
	if (error === undefined) return "";
	return html`<div class="note bad" role="alert"><p><strong>${error.message}</strong></p>${error.field ? html`<p>Field: <span class="mono">${error.field}</span></p>` : ""}</div>`;
}

export function Field({ label, hint, children, id }) {
	return html`<div class="field"><label for=${id}>${label}</label>${children}${hint === undefined ? "" : html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}</div>`;
}

/** A text input with its label. */
export function Input({ id, label, hint, value, onInput, type = "text", ...rest }) {
	return html`<${Field} id=${id} label=${label} hint=${hint}><input id=${id} name=${id} type=${type} value=${value} onInput=${(event) => onInput(event.currentTarget.value)} aria-describedby=${hint === undefined ? undefined : `${id}-hint`} autocomplete="off" ...${rest} /><//>`;
}

export function Select({ id, label, hint, value, onInput, options }) {
	return html`<${Field} id=${id} label=${label} hint=${hint}><select id=${id} name=${id} value=${value} onChange=${(event) => onInput(event.currentTarget.value)}>${options.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}</select><//>`;
}

export function Check({ id, label, checked, onInput }) {
	return html`<div class="field"><label for=${id}><input id=${id} type="checkbox" checked=${checked} onChange=${(event) => onInput(event.currentTarget.checked)} />${label}</label></div>`;
}

/** A dialog of the browser's own: focus stays in it, Escape closes it. */
export function Dialog({ title, onClose, children }) {
	const element = useRef();
	useEffect(() => {
		element.current.showModal();
	}, []);
	return html`<dialog ref=${element} aria-labelledby="dialog-title" onClose=${onClose}>
		<div class="head"><h2 id="dialog-title">${title}</h2><button type="button" onClick=${() => element.current.close()}>Close</button></div>
		${children}
	</dialog>`;
}

/** Asks before something is gone for good. */
export function Confirm({ title, text, action, onYes, onClose }) {
	return html`<${Dialog} title=${title} onClose=${onClose}><p>${text}</p><div class="actions"><button class="danger" type="button" onClick=${onYes}>${action}</button><button type="button" onClick=${onClose}>Keep it</button></div><//>`;
}

/**
 * What `load` gives, loaded again each `everyMs` while the page is seen. A load that is slower than the next one's turn is not overtaken, and
 * what comes after the view has gone is dropped.
 */
export function useLoaded(load, dependencies, everyMs) {
	const [state, setState] = useState({ loading: true });
	const again = useRef();
	useEffect(() => {
		let gone = false;
		let timer;
		const run = async () => {
			clearTimeout(timer);
			try {
				const value = await load();
				if (!gone) setState({ value, loading: false });
			} catch (error) {
				if (!gone) setState((before) => ({ ...before, error, loading: false }));
			}
			if (!gone && everyMs !== undefined) timer = setTimeout(next, everyMs);
		};
		// A page that nobody sees asks nothing.
		const next = () => {
			if (document.hidden) timer = setTimeout(next, everyMs);
			else void run();
		};
		again.current = run;
		void run();
		return () => {
			gone = true;
			clearTimeout(timer);
		};
	}, dependencies);
	return { ...state, reload: () => again.current?.() };
}

/** One thing at a time; a second press while it runs does nothing. */
export function useAction() {
	const [state, setState] = useState({});
	const run = async (act, done) => {
		if (state.busy) return;
		setState({ busy: true });
		try {
			const value = await act();
			setState({ said: done });
			return value;
		} catch (error) {
			setState({ error });
			return undefined;
		}
	};
	return { ...state, run };
}

const TIME = timeFormat();

function timeFormat() {
	const options = { dateStyle: "short", timeStyle: "medium" };
	try {
		return new Intl.DateTimeFormat(undefined, options);
	} catch {
		// Some systems give the browser a language that is none, such as "en-US@posix".
		return new Intl.DateTimeFormat("en", options);
	}
}

export const time = (ms) => html`<time datetime=${new Date(ms).toISOString()}>${TIME.format(ms)}</time>`;

export function duration(ms) {
	if (ms === undefined || !(ms >= 0)) return "";
	const seconds = Math.round(ms / 1000);
	return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** "a, b" ⇄ ["a", "b"] */
export const words = (text) => text.split(/[\s,]+/).filter((word) => word !== "");
export const joined = (list) => (list ?? []).join(", ");

export function StateTag({ call }) {
	const live = call.end === undefined && call.state !== "cancelled";
	if (live) return html`<span class=${`tag ${call.state === "active" ? "good" : "warn"}`}>${call.state}</span>`;
	const fine = call.answeredAt !== undefined && ["hangup", "transferred", "room-closed", "participant-removed"].includes(call.end?.reason);
	return html`<span class=${`tag ${fine ? "" : "bad"}`}>${call.end?.reason ?? call.state}</span>`;
}

export const without = (object, names) => Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
