import { isIP } from "node:net";

interface Asked {
	method?: string | undefined;
	url?: string | undefined;
	headers: { host?: string | undefined; origin?: string | undefined };
}

/** Names that no stranger can have point to this machine: of this machine, of its network, and reserved ones (RFC 6761). */
const OWN_NAME = /^(?:[^.]+|.+\.(?:localhost|local|internal|test|home\.arpa|lan))$/i;

/**
 * Why a request is refused while the API has the keys of a first start, which everybody knows; undefined when it is not. Any page that is open in a browser of
 * this machine could sign tokens with them: under a name of its own that leads here (DNS rebinding), or by a request without reading the answer.
 */
export function foreignPage({ method = "GET", url = "", headers: { host = "", origin } }: Asked): string | undefined {
	const own = hostOf(`http://${host}`);
	// Every browser says which host it means, in a form that can be read.
	if (own !== undefined && isIP(own) === 0 && !OWN_NAME.test(own))
		return `${JSON.stringify(host)} is no name of this machine or its network: with the keys of a first start only those are served`;
	if (origin === undefined || !isApi(method, url)) return undefined;
	const from = hostOf(origin);
	if (from !== undefined && (from === own || isLoopback(from))) return undefined;
	return `a page of ${JSON.stringify(origin)} may not use the API with the keys of a first start`;
}

/** Rooms are for pages of everywhere: they ask with a token that somebody gave them. The API may be written in more than one way, so all else is taken for it. */
const isApi = (method: string, url: string): boolean => method !== "OPTIONS" && !/^\/rtc(?:[/?]|$)/.test(url);

/** Without port and brackets; undefined for what is no address of a page, such as `null`. */
function hostOf(url: string): string | undefined {
	return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "") || undefined : undefined;
}

const isLoopback = (host: string): boolean =>
	host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
