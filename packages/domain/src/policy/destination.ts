import type { FraudPolicy } from "@trunkline/contracts";
import { DomainError } from "../errors.ts";
import { BLOCKED_RANGES } from "./ranges.ts";

/** Enough of a policy to judge where a call goes. */
export type DestinationPolicy = Pick<FraudPolicy, "allowedPrefixes" | "blockedPrefixes">;

export type DestinationVerdict =
	/** `number`: what it was read as, E.164; unset for a SIP user or an extension, which the trunk's own host resolves */
	{ allowed: true; number?: string } | { allowed: false; number?: string; prefix: string; reason: string };

/**
 * May this be called? `target` is what a caller writes: a telephone number in any form, an extension, a SIP user, or the target of a transfer (`tel:`,
 * `sip:`, `sips:`, with or without `<>`). Total: any text has a verdict.
 *
 * A number without "+" can mean several ("9005550100" is a Turkish number, or premium in North America): it passes when every reading of it does, as it
 * is the carrier that decides.
 */
export function judgeDestination(policy: DestinationPolicy, target: string): DestinationVerdict {
	const { user, context } = targetOf(target);
	const verdict = judgeUser(policy, user);
	// RFC 3966 §5.1.5: a local number goes on from its context: 926-1234 in +1876 is +1 876 926 1234.
	return verdict.allowed && context !== undefined && /^\d/.test(user) ? judgeUser(policy, context + user) : verdict;
}

function judgeUser(policy: DestinationPolicy, user: string): DestinationVerdict {
	const dialled = user.replace(SEPARATORS, "").replace(/^\++/, "+");
	if (TEST_NUMBER.test(dialled)) return { allowed: true };
	// Carriers may read ٣ as 3.
	if (/(?![0-9])\p{Nd}/u.test(dialled)) return { allowed: false, prefix: "", reason: "it has digits other than 0 to 9" };
	const codes = /^[+\d]*[*#]/.test(dialled);
	if (/^\+?\d+\+/.test(dialled) && dialled.length > MAX_EXTENSION_DIGITS + 1)
		return { allowed: false, prefix: "", reason: "+ inside a number can mean several; it stands in front of the country code" };
	const digits = /^\+?\d+/.exec(dialled)?.[0] ?? "";
	if (codes && dialled.length > MAX_EXTENSION_DIGITS + 1)
		return { allowed: false, prefix: "", reason: "service codes (* and #) hide the number that is called; send the number alone" };
	// A user name with digits in it is none; a number with something behind it is one: carriers cut off what they do not understand.
	if (digits.replace("+", "").length <= MAX_EXTENSION_DIGITS) return { allowed: true };
	let first: DestinationVerdict | undefined;
	for (const number of readingsOf(digits)) {
		const verdict = judgeNumber(policy, number, digits);
		if (!verdict.allowed) return verdict;
		first ??= verdict;
	}
	return first ?? { allowed: true };
}

/**
 * Throws `permission_denied` unless `target` may be called: for CreateSIPParticipant, and for the target of a REFER. The message names the prefix that
 * decided and how it is changed.
 */
export function checkDestination(policy: DestinationPolicy, target: string, projectId: string): void {
	const verdict = judgeDestination(policy, target);
	if (verdict.allowed) return;
	const { number, prefix, reason } = verdict;
	const limit = prefix === "" ? { limit: "allowed_prefixes" } : { limit: "allowed_prefixes", prefix };
	const read = number === undefined ? "" : ` (read as ${number}; "+" and country code in front leave no doubt)`;
	throw new DomainError(
		"permission_denied",
		`the destination${read} may not be called: ${reason}. ${howToChange(projectId, prefix === "" ? "allowedPrefixes" : `allowedPrefixes to name ${prefix}`)}`,
		limit,
	);
}

/** The last sentence of every refusal. */
export function howToChange(projectId: string, what: string): string {
	return `An administrator changes ${what} with PATCH /v1/projects/${projectId}`;
}

/** RFC 3966 §5.1.1 visual separators, what people write beside them, the other marks that a SIP user may have
 * (RFC 3261 §25.1), and characters that nobody sees (U+200B and its like). */
const SEPARATORS = /[\s\p{Cf}\-()./_~!']/gu;
const MAX_EXTENSION_DIGITS = 6;
/** Reserved for examples: 555-0100 to 555-0199, with any area code or none. */
const TEST_NUMBER = /^(\+?1)?(\d{3})?55501\d\d$/;

/** `context`: the E.164 prefix that a local number is within. */
function targetOf(target: string): { user: string; context?: string } {
	const bare = target.trim().replace(/^</, "").replace(/>.*$/, "");
	const rest = /^(?:tel|sips?):/i.test(bare) ? bare.slice(bare.indexOf(":") + 1) : bare;
	// RFC 3261 §19.1.1: user parameters and password follow the user; RFC 3966 §3: parameters follow the number.
	const [user = "", ...parameters] = unescaped(rest.split("@")[0] ?? "")
		.normalize("NFKC")
		.split(/[;:?]/);
	const context = parameters.find((parameter) => /^phone-context=\+/i.test(parameter))?.slice("phone-context=".length);
	return { user, ...(context === undefined ? {} : { context }) };
}

/** %2B is "+" to whoever reads the URI (RFC 3261 §19.1.4). What is no escape stays. */
function unescaped(text: string): string {
	return text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
		try {
			return decodeURIComponent(escaped);
		} catch {
			return escaped.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
		}
	});
}

/** International prefixes that national carriers take in front of a country code: most of the world, North America, Australia, East Asia, Colombia, Russia. */
const INTERNATIONAL_PREFIXES = ["00", "011", "0011", "001", "002", "010", "009", "810"];

/** In E.164 (with "+"), what a number may mean to one carrier or another. A country code does not begin with 0. */
function readingsOf(digits: string): string[] {
	const bare = digits.replace("+", "");
	if (digits.startsWith("+") && !bare.startsWith("0")) return [digits];
	const readings = INTERNATIONAL_PREFIXES.filter((prefix) => bare.startsWith(prefix)).map((prefix) => `+${bare.slice(prefix.length)}`);
	if (!bare.startsWith("00")) readings.push(`+${bare}`);
	if (/^[2-9]\d\d[2-9]\d{6}$/.test(bare)) readings.push(`+1${bare}`);
	return readings;
}

function judgeNumber(policy: DestinationPolicy, number: string, dialled: string): DestinationVerdict {
	const shown = number === dialled ? {} : { number };
	if (number.startsWith("+0")) return judgeNational(policy, number);
	const allowed = longest(policy.allowedPrefixes, number);
	const blocked = longest(policy.blockedPrefixes, number);
	const range = builtIn(number);
	if (blocked !== undefined && blocked.length >= (allowed?.length ?? 0)) {
		return { allowed: false, ...shown, prefix: blocked, reason: `${blocked} is one of the project's blockedPrefixes` };
	}
	if (allowed === undefined) {
		const list = policy.allowedPrefixes.slice(0, 10).join(", ");
		const reason = `it begins with none of the project's allowedPrefixes (${list === "" ? "none" : list})`;
		return { allowed: false, ...shown, prefix: "", reason };
	}
	if (range !== undefined && range.prefix.length > allowed.length) {
		const prefix = number.slice(0, range.prefix.length);
		return { allowed: false, ...shown, prefix, reason: `${prefix} is blocked unless named: ${range.kind}, ${range.name}` };
	}
	return { allowed: true, number };
}

/** 0… is a number within a country that nobody names: no country's prefix can be compared. */
function judgeNational(policy: DestinationPolicy, number: string): DestinationVerdict {
	const dialled = number.slice(1);
	if (!policy.allowedPrefixes.includes("+"))
		return {
			allowed: false,
			prefix: "",
			reason: "a number without country code cannot be compared with allowedPrefixes; write it as + and country code",
		};
	if (!NATIONAL_PREMIUM.test(dialled)) return { allowed: true };
	return { allowed: false, prefix: "", reason: "it is a premium number in several countries; write it as + and country code" };
}

/** Not geographic anywhere that writes numbers with a leading 0. */
const NATIONAL_PREMIUM = /^0(?:90[0-5]|190|137)/;

function longest(prefixes: readonly string[], number: string): string | undefined {
	let best: string | undefined;
	for (const prefix of prefixes) if (number.startsWith(prefix) && prefix.length > (best?.length ?? 0)) best = prefix;
	return best;
}

function builtIn(number: string): (typeof BLOCKED_RANGES)[number] | undefined {
	let best: (typeof BLOCKED_RANGES)[number] | undefined;
	for (const range of BLOCKED_RANGES) {
		if (range.prefix.length > (best?.prefix.length ?? 0) && matches(range.prefix, number)) best = range;
	}
	return best;
}

function matches(pattern: string, number: string): boolean {
	if (number.length < pattern.length) return false;
	for (let index = 0; index < pattern.length; index++) {
		const wanted = pattern.charAt(index);
		if (wanted !== "x" && wanted !== number.charAt(index)) return false;
	}
	return true;
}
