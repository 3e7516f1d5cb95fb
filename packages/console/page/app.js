// Trunkline's console: one page, no build. Views are in views/, what the API is asked in api.js.
import { html, render, useEffect, useState } from "./vendor/preact.js";
import * as api from "./api.js";
import { CallView } from "./views/call.js";
import { Calls } from "./views/calls.js";
import { Explain } from "./views/explain.js";
import { Phone } from "./views/phone.js";
import { Rules } from "./views/rules.js";
import { SignIn } from "./views/sign-in.js";
import { Trunks } from "./views/trunks.js";

const VIEWS = [
	["calls", "Calls"],
	["trunks", "Trunks"],
	["rules", "Dispatch rules"],
	["explain", "Explain"],
	["phone", "Phone"],
];
const THEMES = ["auto", "light", "dark"];

/** What somebody typed may be no URI: it is shown as it stands, and the view says what it does not know. */
function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function useRoute() {
	const read = () => location.hash.replace(/^#\/?/, "").split("/").map(decoded);
	const [route, setRoute] = useState(read);
	useEffect(() => {
		const changed = () => {
			setRoute(read());
			// Whoever hears the page is told that it is another one.
			requestAnimationFrame(() => document.querySelector("main h1")?.focus());
		};
		addEventListener("hashchange", changed);
		return () => removeEventListener("hashchange", changed);
	}, []);
	return route[0] === "" ? ["calls"] : route;
}

function useTheme() {
	const [theme, setTheme] = useState(() => localStorage.getItem("trunkline.theme") ?? "auto");
	useEffect(() => {
		if (theme === "auto") delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = theme;
		localStorage.setItem("trunkline.theme", theme);
	}, [theme]);
	return [theme, () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])];
}

function App() {
	const [name, id] = useRoute();
	const [theme, nextTheme] = useTheme();
	const [signedIn, setSignedIn] = useState(api.isSignedIn());
	useEffect(() => {
		document.title = `${VIEWS.find(([key]) => key === name)?.[1] ?? "Trunkline"} · Trunkline`;
	}, [name]);
	const leave = () => {
		api.signOut();
		setSignedIn(false);
	};
	return html`
		<header class="top">
			<a class="name" href="#/calls"><img src="icon.svg" alt="" />Trunkline</a>
			${
				signedIn &&
				html`<nav aria-label="Views"><ul>${VIEWS.map(([key, text]) => html`<li><a href=${`#/${key}`} aria-current=${key === name ? "page" : undefined}>${text}</a></li>`)}</ul></nav>`
			}
			<div class="side">
				<button type="button" onClick=${nextTheme}>Theme: ${theme}</button>
				${signedIn && html`<button type="button" onClick=${leave}>Sign out</button>`}
			</div>
		</header>
		<main id="main">${signedIn ? html`<${View} name=${name} id=${id} />` : html`<${SignIn} onDone=${() => setSignedIn(true)} />`}</main>
	`;
}

function View({ name, id }) {
	if (name === "calls" && id !== undefined) return html`<${CallView} key=${id} id=${id} />`;
	if (name === "trunks") return html`<${Trunks} />`;
	if (name === "rules") return html`<${Rules} />`;
	if (name === "explain") return html`<${Explain} />`;
	if (name === "phone") return html`<${Phone} key=${id} room=${id} />`;
	return html`<${Calls} />`;
}

await api.begin();
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${App} />`, place);
