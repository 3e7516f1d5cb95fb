import type { HeaderList } from "./ports.ts";

/** Whether the peer takes REFER, by the Allow of its INVITE or 200 (RFC 3261 §20.5); nothing is known when it has none. */
export function allowsRefer(headers: HeaderList): { allowsRefer?: boolean } {
	const values = headers.filter(([name]) => name.toLowerCase() === "allow").map(([, value]) => value);
	if (values.length === 0) return {};
	return { allowsRefer: values.some((value) => value.split(",").some((method) => method.trim().toUpperCase() === "REFER")) };
}
