import { inherited, valuesOf } from "./attributes.ts";

/** Ours, of one media stream (RFC 8839 §5.4). We are ICE-lite: one candidate, the address and port of the section. */
export interface LocalIce {
	ufrag: string;
	password: string;
}

/** What both sides agreed upon. Media go where the peer's checks come from, and nowhere before one has come. */
export interface NegotiatedIce extends LocalIce {
	remoteUfrag: string;
	/** with the fragment it tells a restart (RFC 8839 §4.4.1.1.1) */
	remotePassword: string;
}

/** As a section says it. */
export interface OfferedIce {
	ufrag: string;
	password: string;
	/** the peer sends no checks either */
	lite: boolean;
	/** of component 1, over UDP */
	candidates: readonly { address: string; port: number }[];
	/** it says that the address of our description was changed on the way */
	mismatch: boolean;
}

const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const UFRAG_CHARACTERS = 8;
/** RFC 8839 §5.4: at least 128 bits, of 6 in a character */
const PASSWORD_CHARACTERS = 24;
export const ICE_RANDOM_BYTES = UFRAG_CHARACTERS + PASSWORD_CHARACTERS;
const MAX_CANDIDATES = 64;

/** New ones of `ICE_RANDOM_BYTES` random bytes. */
export function iceCredentials(random: Uint8Array): LocalIce {
	const text = Array.from(random, (byte) => CHARACTERS.charAt(byte & 0x3f)).join("");
	return { ufrag: text.slice(0, UFRAG_CHARACTERS), password: text.slice(UFRAG_CHARACTERS, ICE_RANDOM_BYTES) };
}

/** Undefined: no ICE, or credentials that are none (RFC 8839 §5.4: 4 and 22 characters at least, 256 at most). */
export function readIce(section: readonly string[], session: readonly string[]): OfferedIce | undefined {
	const [ufrag = ""] = inherited(section, session, "ice-ufrag");
	const [password = ""] = inherited(section, session, "ice-pwd");
	if (!/^[A-Za-z0-9+/]{4,256}$/.test(ufrag) || !/^[A-Za-z0-9+/]{22,256}$/.test(password)) return undefined;
	return {
		ufrag,
		password,
		lite: session.includes("ice-lite"),
		candidates: valuesOf(section, "candidate").slice(0, MAX_CANDIDATES).flatMap(candidate),
		mismatch: section.includes("ice-mismatch"),
	};
}

/**
 * Whether something on the way has changed the address without knowing of ICE (RFC 8839 §4.2.5): candidates would lead elsewhere than the address of the
 * section. One that trickles (RFC 8840 §4.1.1) has none at first and says 0.0.0.0, port 9.
 */
export function isMismatched(offered: OfferedIce, address: string, port: number): boolean {
	if (offered.mismatch) return true;
	return !isTrickling(address, port) && !offered.candidates.some((each) => each.address === address && each.port === port);
}

export function isTrickling(address: string, port: number): boolean {
	return port === 9 && (address === "0.0.0.0" || address === "::");
}

/** Our lines in the section; those of the session are `a=ice-lite`. */
export function iceLines({ ufrag, password }: LocalIce, address: string, port: number): string[] {
	// RFC 8445 §5.1.2.1: type preference 126, local preference 65535, component 1
	const host = `a=candidate:1 1 UDP 2130706431 ${address} ${port} typ host`;
	return [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`, host, "a=end-of-candidates"];
}

/** RFC 8839 §5.1; names (mDNS) are not looked up, and are no default of anybody. */
function candidate(line: string): { address: string; port: number }[] {
	const [, component, transport, , address = "", port = ""] = line.split(/[ \t]+/);
	if (component !== "1" || transport?.toUpperCase() !== "UDP" || !/^\d{1,5}$/.test(port)) return [];
	return [{ address, port: Number(port) }];
}
