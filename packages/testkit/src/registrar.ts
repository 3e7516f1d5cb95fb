import {
	type Address,
	digestResponse,
	type HeaderField,
	header,
	param,
	parseMessage,
	parseNameAddr,
	parseUri,
	reasonPhrase,
	type SipRequest,
	writeMessage,
} from "@trunkline/sip";
import { nodeHashes } from "./sim-net.ts";

export interface RegistrarOptions {
	/** asked for credentials when set */
	user?: string;
	password?: string;
	/** seconds; less gets 423 */
	minExpires?: number;
	/** seconds; at most this is granted, told in the Contact */
	grants?: number;
	/** answers instead of the usual: status and headers */
	refuse?: { status: number; headers?: readonly (readonly [string, string])[] } | undefined;
	/** as a registrar beyond a NAT sees its peers */
	sees?: (from: Address) => { host: string; port: number };
}

const REALM = "registrar.test";
const NONCE = "0123456789abcdef";

/** A registrar (RFC 3261 §10.3) for tests: gets datagrams, gives answers, keeps bindings. No clock: nothing expires. */
export class TestRegistrar {
	options: RegistrarOptions;
	readonly requests: SipRequest[] = [];
	/** address of record → Contact URIs with the seconds that were granted */
	readonly bindings = new Map<string, Map<string, number>>();

	constructor(options: RegistrarOptions = {}) {
		this.options = options;
	}

	/** undefined: it is no REGISTER. */
	answer(bytes: Uint8Array, from: Address): Uint8Array | undefined {
		const parsed = parseMessage(bytes);
		if (!parsed.ok || parsed.message.kind !== "request" || parsed.message.method !== "REGISTER") return undefined;
		const request = parsed.message;
		this.requests.push(request);
		const [status, headers] = this.#decide(request);
		const seen = this.options.sees?.(from) ?? from;
		const copied = request.headers.filter(({ key }) => ["via", "from", "to", "call-id", "cseq"].includes(key));
		const fields: HeaderField[] = copied.map((line) => {
			if (line.key === "via")
				return { ...line, value: `${line.value.replace(/;rport(?=;|$)/, `;rport=${seen.port}`)};received=${seen.host}` };
			return line.key === "to" ? { ...line, value: `${line.value};tag=registrar` } : line;
		});
		for (const [name, value] of headers) fields.push({ name, key: name.toLowerCase(), value });
		return writeMessage({ kind: "response", status, reason: reasonPhrase(status), headers: fields, body: new Uint8Array(0) });
	}

	/** all Contact URIs that calls could be sent to */
	contacts(): string[] {
		return [...this.bindings.values()].flatMap((contacts) => [...contacts.keys()]);
	}

	#decide(request: SipRequest): [status: number, headers: readonly (readonly [string, string])[]] {
		const { user, minExpires = 0, grants = Number.POSITIVE_INFINITY, refuse } = this.options;
		if (refuse !== undefined) return [refuse.status, refuse.headers ?? []];
		if (user !== undefined && !this.#isAuthorised(request)) {
			return [401, [["WWW-Authenticate", `Digest realm="${REALM}", nonce="${NONCE}", algorithm=MD5, qop="auth"`]]];
		}
		const contact = parseNameAddr(header(request, "contact") ?? "");
		const aor = parseNameAddr(header(request, "to") ?? "")?.uri ?? "";
		if (contact === undefined) return [400, []];
		const asked = Number(param(contact.params, "expires") ?? header(request, "expires") ?? 3600);
		const contacts = this.bindings.get(aor) ?? new Map<string, number>();
		if (asked === 0) {
			contacts.delete(contact.uri);
			return [200, []];
		}
		if (asked < minExpires) return [423, [["Min-Expires", String(minExpires)]]];
		const granted = Math.min(asked, grants);
		contacts.set(contact.uri, granted);
		this.bindings.set(aor, contacts);
		// Somebody else's binding of the same address of record comes first: it says nothing about this one.
		const other = contact.uri.replace(/@[^:;>]+/, "@198.51.100.99");
		return [200, [["Contact", `<${other}>;expires=7, <${contact.uri}>;expires=${granted}`]]];
	}

	#isAuthorised(request: SipRequest): boolean {
		const value = header(request, "authorization") ?? "";
		const given = (name: string): string => new RegExp(`${name}="?([^",]*)"?`).exec(value)?.[1] ?? "";
		const { user = "", password = "" } = this.options;
		const expected = digestResponse(nodeHashes, {
			...{ algorithm: "MD5", session: false, username: user, realm: REALM, password, method: "REGISTER" },
			...{ uri: request.uri, nonce: NONCE, nc: given("nc"), cnonce: given("cnonce"), qop: "auth" },
		});
		return given("username") === user && given("response") === expected && parseUri(request.uri)?.user === undefined;
	}
}
