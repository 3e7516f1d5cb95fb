import { html, useEffect, useState } from "../vendor/preact.js";
import { post } from "../api.js";
import { Input, Problem } from "../parts.js";

const AFTER_MS = 250;

/** Which trunk and rule would take a call; asked anew while one types. */
export function Explain() {
	const [form, setForm] = useState({ from: "+15551111", to: "+15550100", source: "127.0.0.1", pin: "" });
	const [answer, setAnswer] = useState();
	const [error, setError] = useState();
	const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
	useEffect(() => {
		let gone = false;
		const ask = async () => {
			try {
				const body = Object.fromEntries(Object.entries(form).filter(([, value]) => value.trim() !== ""));
				const said = await post("/v1/explain", body);
				if (gone) return;
				setAnswer(said);
				setError(undefined);
			} catch (failed) {
				if (gone) return;
				setError(failed);
				setAnswer(undefined);
			}
		};
		const timer = setTimeout(() => void ask(), AFTER_MS);
		return () => {
			gone = true;
			clearTimeout(timer);
		};
	}, [form]);
	return html`
		<h1 tabindex="-1">What would happen to a call?</h1>
		<div class="columns">
			<form class="panel" onSubmit=${(event) => event.preventDefault()}>
				<${Input} id="from" label="From" value=${form.from} onInput=${set("from")} hint="the caller's number or SIP user" />
				<${Input} id="to" label="To" value=${form.to} onInput=${set("to")} hint="the called number" />
				<${Input} id="source" label="Source address" value=${form.source} onInput=${set("source")} hint="where the INVITE comes from" />
				<${Input} id="pin" label="PIN" value=${form.pin} onInput=${set("pin")} hint="when the rule asks for one" />
			</form>
			<section class="panel" aria-live="polite" aria-label="Explanation">
				<${Problem} error=${error} />
				${answer === undefined ? "" : html`<${Answer} answer=${answer} />`}
			</section>
		</div>
	`;
}

function Answer({ answer }) {
	return html`
		<div class=${`note ${answer.outcome === "accepted" ? "good" : "bad"}`}>
			<p><strong>${answer.outcome === "accepted" ? "The call is taken." : `The call is refused: SIP ${answer.sip?.status} ${answer.sip?.reason ?? ""}`}</strong></p>
			<p>${answer.summary}</p>
		</div>
		${answer.asksForCredentials ? html`<p class="note warn">The caller is asked for user name and password first.</p>` : ""}
		${answer.asksForPin ? html`<p class="note warn">The caller is asked for a PIN.</p>` : ""}
		<h2>Decision</h2><${Steps} steps=${answer.steps} />
	`;
}

/** The decision trace: what was looked at, and the first test that failed. */
export function Steps({ steps = [] }) {
	if (steps.length === 0) return html`<p class="soft">No trunk and no rule was looked at.</p>`;
	return html`<ol class="steps">${steps.map(
		(step) =>
			html`<li><span class=${`tag ${step.outcome === "selected" ? "good" : step.outcome === "rejected" ? "bad" : ""}`}>${step.outcome}</span> ${step.kind} <span class="mono">${step.id}</span>${step.test ? html`: ${step.test}` : ""}${step.detail ? html` <span class="soft">${step.detail}</span>` : ""}</li>`,
	)}</ol>`;
}
