const PHONE_NUMBER = /^\+?[\d\- ()]+$/;
const VISUAL_SEPARATORS = /[ \-()]/g;

/**
 * The form in which telephone numbers are compared and indexed: "+", then digits. What does not look like a number (a SIP user name) stays
 * as it is. Idempotent.
 */
export function normalizeNumber(number: string): string {
	if (!PHONE_NUMBER.test(number)) return number;
	const digits = number.replace(VISUAL_SEPARATORS, "");
	return digits.startsWith("+") ? digits : `+${digits}`;
}

/** Is `number` in `list`, compared normalised? LiveKit compares rules' numbers exactly, and rules with "1555…" then never match "+1555…". */
export function includesNumber(list: readonly string[], number: string): boolean {
	const wanted = normalizeNumber(number);
	return list.some((candidate) => normalizeNumber(candidate) === wanted);
}
