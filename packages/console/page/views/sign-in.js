import { html, useState } from "../vendor/preact.js";
import { canSign, signIn } from "../api.js";
import { Input, Problem, useAction } from "../parts.js";

export function SignIn({ onDone }) {
	const [key, setKey] = useState("");
	const [secret, setSecret] = useState("");
	const [token, setToken] = useState("");
	const action = useAction();
	const submit = async (event) => {
		event.preventDefault();
		const session = token.trim() === "" ? { key: key.trim(), secret: secret.trim() } : { token: token.trim() };
		if ((await action.run(async () => (await signIn(session), true))) === true) onDone();
	};
	return html`
		<h1 tabindex="-1">Sign in</h1>
		<form class="panel" onSubmit=${submit} style="max-width: 34rem">
			<p>With the API key and secret that your SDKs use. They stay in this tab and are never sent: the page makes tokens with them.</p>
			${canSign() ? "" : html`<p class="note warn">This page came over plain HTTP from another computer, so the browser cannot make tokens. Use a token, or HTTPS.</p>`}
			<${Problem} error=${action.error} />
			<${Input} id="key" label="API key" value=${key} onInput=${setKey} disabled=${!canSign()} />
			<${Input} id="secret" label="API secret" type="password" value=${secret} onInput=${setSecret} disabled=${!canSign()} />
			<details><summary>Or a token with the grant sip.admin</summary>
				<${Input} id="token" label="Token" value=${token} onInput=${setToken} hint="Rooms cannot be joined with it; everything else works until it expires." />
			</details>
			<button class="main" disabled=${action.busy}>Sign in</button>
		</form>
	`;
}
