import { html, useState } from "../vendor/preact.js";
import { ApiError, get, put, remove, sip } from "../api.js";
import { Check, Confirm, Dialog, Field, Input, joined, Problem, Select, useAction, useLoaded, without, words } from "../parts.js";

const ENCRYPTION = [
	["SIP_MEDIA_ENCRYPT_DISABLE", "no"],
	["SIP_MEDIA_ENCRYPT_ALLOW", "when the peer can"],
	["SIP_MEDIA_ENCRYPT_REQUIRE", "always"],
];
const TRANSPORT = [
	["SIP_TRANSPORT_AUTO", "automatic"],
	["SIP_TRANSPORT_UDP", "UDP"],
	["SIP_TRANSPORT_TCP", "TCP"],
	["SIP_TRANSPORT_TLS", "TLS"],
];
const KINDS = { inbound: "Inbound", outbound: "Outbound" };

export function Trunks() {
	const { value, error, loading, reload } = useLoaded(async () => {
		const [inbound, outbound] = await Promise.all([sip("ListSIPInboundTrunk"), sip("ListSIPOutboundTrunk")]);
		return { inbound: inbound.items ?? [], outbound: outbound.items ?? [] };
	}, []);
	const [open, setOpen] = useState();
	const close = () => setOpen(undefined);
	const done = () => {
		close();
		reload();
	};
	return html`
		<div class="head"><h1 tabindex="-1">Trunks</h1>
			<div class="actions">${Object.entries(KINDS).map(([kind, text]) => html`<button type="button" onClick=${() => setOpen({ edit: kind, trunk: {} })}>Add ${text.toLowerCase()} trunk</button>`)}</div>
		</div>
		<${Problem} error=${error} />
		${loading ? html`<p>Loading…</p>` : ""}
		${value && Object.entries(KINDS).map(([kind, text]) => html`<section class="panel" key=${kind}><h2>${text}</h2><${List} kind=${kind} trunks=${value[kind]} onOpen=${setOpen} /></section>`)}
		${open?.edit && html`<${Edit} kind=${open.edit} trunk=${open.trunk} onClose=${close} onDone=${done} />`}
		${open?.settings && html`<${Settings} trunk=${open.settings} onClose=${close} />`}
		${open?.drop && html`<${Drop} trunk=${open.drop} onClose=${close} onDone=${done} />`}
	`;
}

function List({ kind, trunks, onOpen }) {
	if (trunks.length === 0)
		return html`<p class="soft">${kind === "inbound" ? "None: no call from outside is taken." : "None: nobody can be called."}</p>`;
	return html`<table class="cards">
		<thead><tr><th scope="col">Name</th><th scope="col">Numbers</th><th scope="col">${kind === "inbound" ? "Allowed from" : "Address"}</th><th scope="col">Login</th><th scope="col"><span class="live">What to do</span></th></tr></thead>
		<tbody>${trunks.map(
			(trunk) => html`<tr key=${trunk.sip_trunk_id}>
				<td data-label="Name"><span>${trunk.name || "(no name)"}<br /><span class="mono soft">${trunk.sip_trunk_id}</span></span></td>
				<td data-label="Numbers"><span>${joined(trunk.numbers) || "any"}</span></td>
				<td data-label=${kind === "inbound" ? "Allowed from" : "Address"}><span>${kind === "inbound" ? joined(trunk.allowed_addresses) || "anywhere" : trunk.address}</span></td>
				<td data-label="Login"><span>${trunk.auth_username || "–"}</span></td>
				<td data-label="Do"><div class="actions">
					<button type="button" aria-label=${`Edit ${trunk.name}`} onClick=${() => onOpen({ edit: kind, trunk })}>Edit</button>
					<button type="button" aria-label=${`Settings of ${trunk.name}`} onClick=${() => onOpen({ settings: trunk })}>Settings</button>
					<button type="button" class="danger" aria-label=${`Delete ${trunk.name}`} onClick=${() => onOpen({ drop: trunk })}>Delete</button>
				</div></td>
			</tr>`,
		)}</tbody>
	</table>`;
}

function Edit({ kind, trunk, onClose, onDone }) {
	const isNew = trunk.sip_trunk_id === undefined;
	const [form, setForm] = useState({
		name: trunk.name ?? "",
		numbers: joined(trunk.numbers),
		address: trunk.address ?? "",
		transport: trunk.transport ?? "SIP_TRANSPORT_AUTO",
		destination_country: trunk.destination_country ?? "",
		allowed_addresses: joined(trunk.allowed_addresses),
		allowed_numbers: joined(trunk.allowed_numbers),
		auth_username: trunk.auth_username ?? "",
		auth_password: "",
		media_encryption: trunk.media_encryption ?? "SIP_MEDIA_ENCRYPT_DISABLE",
		krisp_enabled: trunk.krisp_enabled ?? false,
	});
	const action = useAction();
	const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
	const text = (name, label, hint, more = {}) =>
		html`<${Input} id=${name} label=${label} hint=${hint} value=${form[name]} onInput=${set(name)} ...${more} />`;
	const submit = async (event) => {
		event.preventDefault();
		if ((await action.run(async () => (await save(kind, trunk, form), true))) === true) onDone();
	};
	return html`<${Dialog} title=${isNew ? `New ${kind} trunk` : `Edit ${trunk.name || trunk.sip_trunk_id}`} onClose=${onClose}>
		<form onSubmit=${submit}>
			<${Problem} error=${action.error} />
			<div class="fields">
				${text("name", "Name")}
				${text("numbers", "Numbers", kind === "inbound" ? "as the provider sends them, e.g. +15550100; none = any number" : "to call from, at least one; * = any")}
				${kind === "outbound" ? [text("address", "Address", "host or host:port of the provider"), html`<${Select} id="transport" label="Transport" value=${form.transport} onInput=${set("transport")} options=${TRANSPORT} />`, text("destination_country", "Destination country", "two letters: pins calls to the region of that country")] : [text("allowed_addresses", "Allowed addresses", "IP addresses or networks; none = anywhere"), text("allowed_numbers", "Allowed callers", "none = everybody")]}
				${text("auth_username", "User name")}
				${text("auth_password", "Password", isNew ? undefined : "kept when empty and the user name is the same", { type: "password" })}
				<${Select} id="media_encryption" label="Encrypted audio (SRTP)" value=${form.media_encryption} onInput=${set("media_encryption")} options=${ENCRYPTION} />
				${kind === "inbound" ? html`<${Check} id="krisp_enabled" label="Noise suppression" checked=${form.krisp_enabled} onInput=${set("krisp_enabled")} />` : ""}
			</div>
			<div class="actions"><button class="main" disabled=${action.busy}>${isNew ? "Add" : "Save"}</button></div>
		</form>
	<//>`;
}

/** Fields that the form does not have are sent as they were: a replacement replaces everything. */
async function save(kind, trunk, form) {
	const { sip_trunk_id: id } = trunk;
	const kept = without(trunk, ["sip_trunk_id", "created_at", "updated_at"]);
	const next = { ...kept, ...form, numbers: words(form.numbers) };
	for (const name of kind === "inbound"
		? ["address", "transport", "destination_country"]
		: ["allowed_addresses", "allowed_numbers", "krisp_enabled"])
		delete next[name];
	if (kind === "inbound")
		Object.assign(next, { allowed_addresses: words(form.allowed_addresses), allowed_numbers: words(form.allowed_numbers) });
	for (const [name, value] of Object.entries(next)) if (value === null) delete next[name];
	if (form.auth_password === "") delete next.auth_password;
	const type = kind === "inbound" ? "Inbound" : "Outbound";
	await (id === undefined
		? sip(`CreateSIP${type}Trunk`, { trunk: next })
		: sip(`UpdateSIP${type}Trunk`, { sip_trunk_id: id, replace: next }));
}

/** What LiveKit's trunks have no field for, as the API takes it. */
function Settings({ trunk, onClose }) {
	const path = `/v1/trunks/${trunk.sip_trunk_id}/settings`;
	const loaded = useLoaded(async () => {
		const [settings, providers, registration] = await Promise.all([
			orNone(get(path)),
			get("/v1/providers"),
			orNone(get(`/v1/trunks/${trunk.sip_trunk_id}/registration`)),
		]);
		return { settings: settings ?? {}, providers: providers.providers ?? [], registration };
	}, []);
	const [text, setText] = useState();
	const action = useAction();
	const current = text ?? JSON.stringify(loaded.value?.settings ?? {}, undefined, 2);
	const chosen = parsed(current)?.provider ?? "";
	const choose = (provider) => {
		const rest = without(parsed(current) ?? {}, ["provider"]);
		setText(JSON.stringify(provider === "" ? rest : { provider, ...rest }, undefined, 2));
	};
	const submit = (event) => {
		event.preventDefault();
		action.run(async () => {
			const settings = parsed(current);
			if (settings === undefined) throw new Error("These settings are not JSON: look for a missing comma or quote.");
			await (Object.keys(settings).length === 0 ? remove(path) : put(path, settings));
		}, "Saved.");
	};
	return html`<${Dialog} title=${`Settings of ${trunk.name || trunk.sip_trunk_id}`} onClose=${onClose}>
		<${Problem} error=${loaded.error ?? action.error} />
		${action.said ? html`<p class="note good" role="status">${action.said}</p>` : ""}
		${
			loaded.value &&
			html`<form onSubmit=${submit}>
			<${Select} id="provider" label="Provider" value=${chosen} onInput=${choose} options=${[["", "not said"], ...loaded.value.providers.map(({ id, name }) => [id, name])]} />
			<${Field} id="settings" label="All settings (JSON)" hint="docs/providers.md lists them"><textarea id="settings" rows="10" spellcheck="false" aria-describedby="settings-hint" value=${current} onInput=${(event) => setText(event.currentTarget.value)}></textarea><//>
			${loaded.value.registration && html`<p>Registration: <strong>${loaded.value.registration.state}</strong></p>`}
			<div class="actions"><button class="main" disabled=${action.busy}>Save</button></div>
		</form>`
		}
	<//>`;
}

function Drop({ trunk, onClose, onDone }) {
	const action = useAction();
	const drop = async () => {
		if ((await action.run(async () => (await sip("DeleteSIPTrunk", { sip_trunk_id: trunk.sip_trunk_id }), true))) === true) onDone();
	};
	return html`<${Confirm} title=${`Delete ${trunk.name || trunk.sip_trunk_id}?`} text=${html`Calls by this trunk are refused from then on. Calls that run go on. <${Problem} error=${action.error} />`} action="Delete trunk" onYes=${drop} onClose=${onClose} />`;
}

function parsed(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

async function orNone(answer) {
	try {
		return await answer;
	} catch (error) {
		if (error instanceof ApiError && error.status === 404) return undefined;
		throw error;
	}
}
