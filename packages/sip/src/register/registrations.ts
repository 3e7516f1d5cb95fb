import type { Address, SipInput } from "../endpoint-types.ts";
import { SipUsageError } from "../errors.ts";
import { parseUri } from "../grammar/uri.ts";
import { isHeaderValue } from "../grammar/tokens.ts";
import type { Millis } from "../machine.ts";
import type { Core } from "../ua/core.ts";
import { Registration } from "./registration.ts";

type RegisterInput = Extract<SipInput, { kind: "register" | "unregister" }>;

/** The registrations of an endpoint by name. */
export class Registrations {
	readonly #core: Core;
	readonly #registrations = new Map<string, Registration>();

	constructor(core: Core) {
		this.#core = core;
	}

	onTransportError(remote: Address, message: string, now: Millis): void {
		for (const registration of this.#registrations.values()) registration.onTransportError(remote, message, now);
	}

	/** Throws SipUsageError for what could not be written. */
	handle(input: RegisterInput, now: Millis): void {
		const { registration: name } = input;
		const known = this.#registrations.get(name);
		if (input.kind === "unregister") {
			// Whoever waits for the end of one that never began gets it too.
			if (known === undefined) this.#core.emit({ type: "registration", registration: name, state: "unregistered" });
			else known.unregister(now);
			return;
		}
		if (known !== undefined) {
			known.retry(input.target, now);
			return;
		}
		const { registrar, aor, user, expiresSeconds } = input.options;
		for (const uri of [registrar, aor]) {
			if (!isHeaderValue(uri) || parseUri(uri) === undefined || parseUri(uri)?.scheme === "tel")
				throw new SipUsageError("register: no SIP URI");
		}
		if (!isHeaderValue(user) || !(expiresSeconds > 0)) throw new SipUsageError("register: user or expiry cannot be written");
		const begun = new Registration(this.#core, name, input.options, input.target, () => void this.#registrations.delete(name), now);
		this.#registrations.set(name, begun);
	}
}
