import * as z from "zod";

/** Who is at the other end of a trunk; each has a profile in the domain's provider data. `generic` = nothing is assumed. */
export const PROVIDER_IDS = ["generic", "twilio", "telnyx", "exotel", "plivo", "wavix", "genesys-avaya", "india"] as const;
export type ProviderId = (typeof PROVIDER_IDS)[number];

const seconds = (min: number, max: number) => z.int().min(min).max(max);
const sipUser = z.string().min(1).max(128);
const host = z.string().min(1).max(255);

/** Name of a region of the deployment, such as eu-west-1. */
export const regionNameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "must be the name of a region, such as eu-west-1");
/** Regions that a call may be in; whoever gives none does not restrict it. */
export const regionsSchema = z.array(regionNameSchema).min(1).max(16);

/** What a dispatch rule can say beyond LiveKit's fields. Set by `PUT /v1/dispatch-rules/{ruleId}/settings`. */
export const dispatchRuleSettingsSchema = z.strictObject({
	/** calls that the rule takes may be in these regions alone */
	regions: regionsSchema.optional(),
});
export type DispatchRuleSettings = z.infer<typeof dispatchRuleSettingsSchema>;

/**
 * What a trunk can say beyond LiveKit's fields, whose protocol has no place for it. Kept with the trunk, set by
 * `PUT /v1/trunks/{trunkId}/settings`, and carried in the dial request of each outbound call. Whatever is absent comes from the provider's profile,
 * and after that from `generic`.
 */
export const trunkSettingsSchema = z.strictObject({
	provider: z.enum(PROVIDER_IDS).optional(),
	/** the trunk's calls may be in these regions alone; outbound: the first of them that is served places them */
	regions: regionsSchema.optional(),
	/** inbound: what an INVITE gets in a region where the call must not be: 403, or 302 to the SIP address of a region where it may */
	wrongRegion: z.enum(["refuse", "redirect"]).optional(),
	/** RFC 3261 §8.1.3.4: go where a 3xx points; only hosts in `redirectHosts` (or the trunk's own) unless that has "*" */
	followRedirects: z.boolean().optional(),
	redirectHosts: z.array(host).max(32).optional(),
	earlyMedia: z
		.strictObject({
			/** outbound: audio of a 183 is heard in the room */
			toRoom: z.boolean().optional(),
			/** inbound: 183 with SDP, so that the caller hears the room before the answer */
			fromRoom: z.boolean().optional(),
		})
		.optional(),
	/** RFC 3262. "off": never; "supported": when the peer asks for it; "required": our 18x are always sent reliably where the peer can */
	reliableProvisional: z.enum(["off", "supported", "required"]).optional(),
	/** RFC 4028. "off": not offered, a peer's wish is not met; "accept": as the peer wishes; "always": we ask for it */
	sessionTimer: z
		.strictObject({
			mode: z.enum(["off", "accept", "always"]).optional(),
			expiresSeconds: seconds(90, 86_400).optional(),
			minSeconds: seconds(90, 86_400).optional(),
		})
		.optional(),
	/** outbound identity headers (RFC 3325, RFC 3323) */
	identity: z
		.strictObject({
			/** user part of From in the place of the calling number: carriers that want the account there */
			fromUser: sipUser.optional(),
			/** P-Asserted-Identity: the calling number at the From host, or a SIP/tel URI */
			assertedIdentity: z
				.union([
					z.literal("number"),
					z
						.string()
						.regex(/^(sips?|tel):/i)
						.max(256),
				])
				.optional(),
			/** Privacy: id, and an anonymous From (RFC 3323 §4.1) */
			anonymous: z.boolean().optional(),
		})
		.optional(),
	/** dialect of the Request-URI, From and To of outbound calls */
	uri: z
		.strictObject({
			/** `;user=phone` (RFC 3261 §19.1.1) */
			userPhone: z.boolean().optional(),
			/** `;transport=` where it is not UDP */
			transportParameter: z.boolean().optional(),
			/** how numbers are written: as given, with "+" or without */
			numbers: z.enum(["as-given", "e164", "without-plus"]).optional(),
			/** put before the number (a carrier's technical prefix) */
			prefix: z
				.string()
				.regex(/^[0-9#*]{0,16}$/)
				.optional(),
		})
		.optional(),
	/** REGISTER with the trunk's address and credentials (RFC 3261 §10), so that calls come to where we are */
	registration: z
		.strictObject({
			enabled: z.boolean(),
			/** unset = the trunk's address */
			registrar: host.optional(),
			/** user of the address of record; unset = the trunk's auth user name */
			user: sipUser.optional(),
			expiresSeconds: seconds(60, 86_400).optional(),
		})
		.optional(),
	tls: z
		.strictObject({
			/** the name that the peer's certificate must have; unset = the trunk's host */
			serverName: host.optional(),
			/** name of a client certificate that nodes hold, for carriers that ask for one */
			clientCertificate: z
				.string()
				.regex(/^[\w-]{1,64}$/)
				.optional(),
			minVersion: z.enum(["TLSv1.2", "TLSv1.3"]).optional(),
		})
		.optional(),
	srtp: z
		.strictObject({
			/** our offers, where the trunk's media encryption is not off: keys in the SDP (RFC 4568), of a DTLS handshake (RFC 5763), or as the peer likes */
			keying: z.enum(["sdes", "dtls", "either"]).optional(),
		})
		.optional(),
	transfer: z
		.strictObject({
			/** when REFER is refused, the node dials the target over this outbound trunk and joins the two legs; "same" = the trunk of the call itself */
			bridgeTrunkId: z.string().max(64).optional(),
			/**
			 * a REFER of the peer: "refuse" (603), or we call its target (fraud policy applies). "follow" (RFC 5589): the target takes the telephone's place in the
			 * room. "bridge": the two telephones are joined, and the room is left.
			 */
			incoming: z.enum(["refuse", "follow", "bridge"]).optional(),
			/** a peer's INVITE with Replaces (RFC 3891) may take over one of this trunk's calls */
			replaces: z.boolean().optional(),
		})
		.optional(),
	/** what callers are spoken to in, who are asked for a PIN: a folder of the prompts; unset = en */
	promptLanguage: z
		.string()
		.regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/, "must be a language such as en or pt-BR")
		.optional(),
	/** both directions of each answered call, from the moment that telephone and room hear each other */
	recording: z
		.strictObject({
			enabled: z.boolean(),
			/** both sides hear a short beep every 15 s */
			notice: z.boolean().optional(),
			/** put before the names of the files, inside the project's own directory */
			directory: z
				.string()
				.regex(/^[\w-]{1,64}(\/[\w-]{1,64}){0,3}$/, "must be up to four names of letters, digits, - and _, with / between them")
				.optional(),
		})
		.optional(),
	/** what is absent: uplink as `krisp_enabled` says, no downlink, and the suppressed sound alone */
	noiseSuppression: z
		.strictObject({
			/** of what the telephone says; false: not even where `krisp_enabled` asks for it */
			uplink: z.boolean().optional(),
			/** of what the telephone hears */
			downlink: z.boolean().optional(),
			/** how much of the suppressed sound is heard: 0 = the sound as it came, 1 = the suppressed one alone */
			mix: z.number().min(0).max(1).optional(),
		})
		.optional(),
	/** an answered call ends when nobody else has been in its room for so long, once somebody was; unset: it goes on, as with LiveKit */
	emptyRoomSeconds: seconds(1, 86_400).optional(),
	limits: z
		.strictObject({
			/** calls at a time over this trunk, on one node */
			concurrentCalls: z.int().min(1).max(100_000).optional(),
			/** new calls a second over this trunk, on one node */
			callsPerSecond: z.number().positive().max(10_000).optional(),
		})
		.optional(),
});
export type TrunkSettings = z.infer<typeof trunkSettingsSchema>;
