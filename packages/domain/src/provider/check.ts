import type { OutboundTrunk, ProviderProfile, Trunk, TrunkSettings } from "@trunkline/contracts";
import { checkText } from "../check.ts";
import { DomainError } from "../errors.ts";
import { checkHost } from "../host.ts";
import { sipUriText } from "../sip-uri.ts";
import { effectiveSettings } from "./effective.ts";
import { isHostOf, providerOfHost, providerProfile } from "./profiles.ts";

/**
 * Throws `invalid_argument` when the trunk's settings contradict each other, the trunk, or what is known for sure of its provider; what a profile is
 * unsure of refuses nothing. `meta.field` names the setting. A trunk without settings passes.
 */
export function checkTrunkSettings(trunk: Trunk): void {
	const { settings } = trunk;
	if (settings === undefined) return;
	checkTexts(settings);
	checkTogether(settings);
	const profile = providerProfile(settings.provider ?? "generic");
	if (trunk.kind === "inbound") checkInbound(trunk, settings, profile);
	else checkOutbound(trunk, settings, profile);
}

/** What ends up in messages or is resolved. */
function checkTexts({ redirectHosts, identity, registration, tls }: TrunkSettings): void {
	for (const [index, host] of (redirectHosts ?? []).entries())
		if (host !== "*") checkHost(`redirectHosts.${index}`, host.replace(/^\*\./, ""));
	checkUser("identity.fromUser", identity?.fromUser);
	checkUser("registration.user", registration?.user);
	if (registration?.registrar !== undefined) checkHost("registration.registrar", registration.registrar);
	if (tls?.serverName !== undefined) {
		checkHost("tls.serverName", tls.serverName);
		if (/:\d+$/.test(tls.serverName)) throw refusal("tls.serverName", "is the name in a certificate, which has no port");
	}
	const asserted = identity?.assertedIdentity;
	if (asserted === undefined || asserted === "number") return;
	if (!/^tel:/i.test(asserted)) sipUriText("identity.assertedIdentity", { raw: asserted });
	// RFC 3966 §3
	else if (!/^tel:\+?[0-9*#A-Fa-f\-.()]+(;[A-Za-z0-9-]+(=[A-Za-z0-9\-_.!~*'()+%]+)?)*$/i.test(asserted))
		throw refusal("identity.assertedIdentity", "is no tel URI, like tel:+15550100");
}

function checkUser(field: string, user: string | undefined): void {
	if (user === undefined) return;
	checkText(field, user);
	if (/[<>"\\@\s]/.test(user)) throw refusal(field, 'must be a user name or number, without spaces, < > " \\ or @');
}

function checkTogether(settings: TrunkSettings): void {
	const { sessionTimer } = effectiveSettings(settings);
	if (sessionTimer.expiresSeconds < sessionTimer.minSeconds)
		throw refusal(
			"sessionTimer.expiresSeconds",
			`is ${sessionTimer.expiresSeconds}, less than the shortest that is allowed (sessionTimer.minSeconds, ${sessionTimer.minSeconds})`,
		);
	if ((settings.redirectHosts ?? []).length > 0 && settings.followRedirects !== true)
		throw refusal("redirectHosts", "has no effect unless followRedirects is true");
}

function checkInbound(
	trunk: Extract<Trunk, { kind: "inbound" }>,
	settings: TrunkSettings,
	{ name, authentication, ...profile }: ProviderProfile,
): void {
	if (trunk.authUsername !== "" && !authentication.inbound.includes("digest") && authentication.unsure !== true)
		throw refusal(
			"provider",
			`${name} cannot answer a request for credentials, so an inbound trunk of it cannot have auth_username and auth_password: every call would fail; restrict it by allowed_addresses`,
		);
	if (settings.registration?.enabled === true)
		throw refusal(
			"registration.enabled",
			"belongs to an outbound trunk, whose address and credentials it uses; calls then come in through inbound trunks",
		);
	if (settings.transfer?.bridgeTrunkId === "same")
		throw refusal("transfer.bridgeTrunkId", '"same" cannot be: an inbound trunk has no address to call; name an outbound trunk');
	checkReplaces(settings, { name, referNotes: profile.referNotes });
}

function checkOutbound(trunk: OutboundTrunk, settings: TrunkSettings, profile: ProviderProfile): void {
	const { name } = profile;
	const other = providerOfHost(trunk.address);
	if (other !== undefined && other !== profile.id && settings.provider !== undefined)
		throw refusal(
			"provider",
			`is ${profile.id}, but the trunk's address ${JSON.stringify(trunk.address)} is one of ${providerProfile(other).name} (${other})`,
		);
	checkTransport(trunk, profile);
	if (settings.tls !== undefined && (trunk.transport === "UDP" || trunk.transport === "TCP"))
		throw refusal("tls", `has no effect with transport ${trunk.transport}: set the trunk's transport to TLS`);
	if (trunk.authUsername !== "" && !profile.authentication.outbound.includes("digest") && profile.authentication.unsure !== true)
		throw refusal("provider", `${name} asks for no credentials: the trunk cannot have auth_username; calls are let in by address there`);
	const { fromHost } = profile.numbers;
	if (fromHost !== undefined && !isHostOf(fromHost, trunk.fromHost))
		throw refusal(
			"provider",
			`${name} rejects calls unless from_host is ${fromHost.replace("*", "<account sid>")}; it is ${JSON.stringify(trunk.fromHost)}`,
		);
	checkRegistration(trunk, settings, profile);
	checkReplaces(settings, profile);
}

function checkTransport({ transport }: OutboundTrunk, { name, transports }: ProviderProfile): void {
	if (transports.some(({ unsure }) => unsure === true)) return;
	// AUTO ends with UDP where the DNS says nothing (RFC 3263 §4.1).
	const wanted = transport === "AUTO" ? "UDP" : transport;
	if (transports.some((known) => known.transport === wanted)) return;
	const known = transports.map((one) => `${one.transport} (port ${one.port})`).join(" or ");
	throw refusal("provider", `${name} takes calls over ${known}, the trunk's transport is ${transport}`);
}

function checkRegistration(
	{ authUsername, authPassword }: OutboundTrunk,
	{ registration }: TrunkSettings,
	{ name, ...profile }: ProviderProfile,
): void {
	if (registration?.enabled !== true) return;
	if (profile.registration.support === "no" && profile.registration.unsure !== true)
		throw refusal("registration.enabled", `${name} knows no registration`);
	if (authUsername === "" || authPassword === "")
		throw refusal("registration.enabled", "needs the trunk's auth_username and auth_password");
}

function checkReplaces({ transfer }: TrunkSettings, { name, referNotes }: Pick<ProviderProfile, "name" | "referNotes">): void {
	if (transfer?.replaces !== true || referNotes.support !== "yes" || referNotes.unsure === true) return;
	if (!referNotes.kinds.includes("attended"))
		throw refusal("transfer.replaces", `${name} transfers blind only, so no INVITE of it has Replaces`);
}

function refusal(field: string, problem: string): DomainError {
	return new DomainError("invalid_argument", `settings.${field}: ${problem}`, { field });
}
