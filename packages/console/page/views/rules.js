import { html, useState } from "../vendor/preact.js";
import { sip } from "../api.js";
import { Check, Confirm, Dialog, Input, joined, Problem, Select, useAction, useLoaded, without, words } from "../parts.js";

const TYPES = {
	dispatch_rule_direct: { name: "one room for all", field: "room_name", label: "Room" },
	dispatch_rule_individual: { name: "a room for each caller", field: "room_prefix", label: "Prefix of rooms" },
	dispatch_rule_callee: { name: "a room for each called number", field: "room_prefix", label: "Prefix of rooms" },
};

const typeOf = (rule) =>
	Object.keys(TYPES).find((type) => rule.rule?.[type] !== undefined && rule.rule[type] !== null) ?? "dispatch_rule_direct";

export function Rules() {
	const { value, error, loading, reload } = useLoaded(async () => {
		const [rules, trunks] = await Promise.all([sip("ListSIPDispatchRule"), sip("ListSIPInboundTrunk")]);
		return { rules: rules.items ?? [], trunks: trunks.items ?? [] };
	}, []);
	const [open, setOpen] = useState();
	const close = () => setOpen(undefined);
	const done = () => {
		close();
		reload();
	};
	const trunkName = (id) => value.trunks.find((trunk) => trunk.sip_trunk_id === id)?.name || id;
	return html`
		<div class="head"><h1 tabindex="-1">Dispatch rules</h1><button type="button" onClick=${() => setOpen({ edit: {} })}>Add rule</button></div>
		<${Problem} error=${error} />
		${loading ? html`<p>Loading…</p>` : ""}
		${
			value &&
			html`<section class="panel">${
				value.rules.length === 0
					? html`<p class="soft">None: every call is refused with 404.</p>`
					: html`<table class="cards">
						<thead><tr><th scope="col">Name</th><th scope="col">Calls go to</th><th scope="col">For trunks</th><th scope="col">PIN</th><th scope="col"><span class="live">What to do</span></th></tr></thead>
						<tbody>${value.rules.map((rule) => {
							const type = typeOf(rule);
							const body = rule.rule?.[type] ?? {};
							return html`<tr key=${rule.sip_dispatch_rule_id}>
								<td data-label="Name"><span>${rule.name || "(no name)"}<br /><span class="mono soft">${rule.sip_dispatch_rule_id}</span></span></td>
								<td data-label="Calls go to"><span>${TYPES[type].name}: <strong>${body[TYPES[type].field] || "(random)"}</strong></span></td>
								<td data-label="For trunks"><span>${(rule.trunk_ids ?? []).map(trunkName).join(", ") || "all"}</span></td>
								<td data-label="PIN"><span>${body.pin ? "asked for" : "–"}</span></td>
								<td data-label="Do"><div class="actions">
									<button type="button" aria-label=${`Edit ${rule.name}`} onClick=${() => setOpen({ edit: rule })}>Edit</button>
									<button type="button" class="danger" aria-label=${`Delete ${rule.name}`} onClick=${() => setOpen({ drop: rule })}>Delete</button>
								</div></td>
							</tr>`;
						})}</tbody>
					</table>`
			}</section>`
		}
		${open?.edit && html`<${Edit} rule=${open.edit} trunks=${value?.trunks ?? []} onClose=${close} onDone=${done} />`}
		${open?.drop && html`<${Drop} rule=${open.drop} onClose=${close} onDone=${done} />`}
	`;
}

function Edit({ rule, trunks, onClose, onDone }) {
	const isNew = rule.sip_dispatch_rule_id === undefined;
	const before = rule.rule?.[typeOf(rule)] ?? {};
	const [form, setForm] = useState({
		name: rule.name ?? "",
		type: typeOf(rule),
		room: before.room_name ?? before.room_prefix ?? "",
		pin: before.pin ?? "",
		trunk_ids: rule.trunk_ids ?? [],
		inbound_numbers: joined(rule.inbound_numbers),
		hide_phone_number: rule.hide_phone_number ?? false,
		krisp_enabled: rule.krisp_enabled ?? false,
		randomize: before.randomize ?? false,
	});
	const action = useAction();
	const set = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
	const submit = async (event) => {
		event.preventDefault();
		if ((await action.run(async () => (await save(rule, form), true))) === true) onDone();
	};
	const toggle = (id) => (on) => set("trunk_ids")(on ? [...form.trunk_ids, id] : form.trunk_ids.filter((one) => one !== id));
	return html`<${Dialog} title=${isNew ? "New dispatch rule" : `Edit ${rule.name || rule.sip_dispatch_rule_id}`} onClose=${onClose}>
		<form onSubmit=${submit}>
			<${Problem} error=${action.error} />
			<div class="fields">
				<${Input} id="name" label="Name" value=${form.name} onInput=${set("name")} />
				<${Select} id="type" label="Calls go to" value=${form.type} onInput=${set("type")} options=${Object.entries(TYPES).map(([key, { name }]) => [key, name])} />
				<${Input} id="room" label=${TYPES[form.type].label} value=${form.room} onInput=${set("room")} />
				<${Input} id="pin" label="PIN" value=${form.pin} onInput=${set("pin")} hint="digits that the caller is asked for; empty = none" inputmode="numeric" />
				<${Input} id="inbound_numbers" label="Only for callers" value=${form.inbound_numbers} onInput=${set("inbound_numbers")} hint="numbers; empty = everybody" />
			</div>
			<fieldset class="field"><legend>Only for trunks (none = all)</legend>
				${trunks.map((trunk) => html`<${Check} id=${`for-${trunk.sip_trunk_id}`} label=${trunk.name || trunk.sip_trunk_id} checked=${form.trunk_ids.includes(trunk.sip_trunk_id)} onInput=${toggle(trunk.sip_trunk_id)} />`)}
				${trunks.length === 0 ? html`<p class="soft">There is no inbound trunk.</p>` : ""}
			</fieldset>
			<${Check} id="hide_phone_number" label="Hide the caller's number from the room" checked=${form.hide_phone_number} onInput=${set("hide_phone_number")} />
			<${Check} id="krisp_enabled" label="Noise suppression" checked=${form.krisp_enabled} onInput=${set("krisp_enabled")} />
			${form.type === "dispatch_rule_callee" ? html`<${Check} id="randomize" label="Random end of the room's name" checked=${form.randomize} onInput=${set("randomize")} />` : ""}
			<div class="actions"><button class="main" disabled=${action.busy}>${isNew ? "Add" : "Save"}</button></div>
		</form>
	<//>`;
}

/** Fields that the form does not have are sent as they were: a replacement replaces everything. */
async function save(rule, form) {
	const { sip_dispatch_rule_id: id } = rule;
	const kept = without(rule, ["sip_dispatch_rule_id", "created_at", "updated_at"]);
	const { field } = TYPES[form.type];
	const body = {
		[field]: form.room.trim(),
		pin: form.pin.trim(),
		...(form.type === "dispatch_rule_callee" ? { randomize: form.randomize } : {}),
	};
	const next = {
		...kept,
		name: form.name,
		trunk_ids: form.trunk_ids,
		inbound_numbers: words(form.inbound_numbers),
		hide_phone_number: form.hide_phone_number,
		krisp_enabled: form.krisp_enabled,
		rule: { [form.type]: body },
	};
	for (const [name, value] of Object.entries(next)) if (value === null) delete next[name];
	await (id === undefined
		? sip("CreateSIPDispatchRule", { dispatch_rule: next })
		: sip("UpdateSIPDispatchRule", { sip_dispatch_rule_id: id, replace: next }));
}

function Drop({ rule, onClose, onDone }) {
	const action = useAction();
	const drop = async () => {
		if (
			(await action.run(async () => (await sip("DeleteSIPDispatchRule", { sip_dispatch_rule_id: rule.sip_dispatch_rule_id }), true))) ===
			true
		)
			onDone();
	};
	return html`<${Confirm} title=${`Delete ${rule.name || rule.sip_dispatch_rule_id}?`} text=${html`Calls that only this rule takes are refused from then on. <${Problem} error=${action.error} />`} action="Delete rule" onYes=${drop} onClose=${onClose} />`;
}
