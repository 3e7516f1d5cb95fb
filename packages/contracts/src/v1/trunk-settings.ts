import * as z from "zod";
import { PROVIDER_IDS, trunkSettingsSchema } from "../trunk-settings.ts";
import { V1_LIMITS } from "./common.ts";
import { providerProfileSchema, referDialectSchema } from "./providers.ts";

export const trunkParamsSchema = z.object({
	trunkId: z
		.string()
		.min(1)
		.max(V1_LIMITS.text)
		.meta({ description: "id of a trunk, inbound or outbound", examples: ["ST_3nVKGYxUmDbQ"] }),
});

export const trunkSettingsBodySchema = trunkSettingsSchema.meta({
	id: "TrunkSettings",
	description: "what is absent comes from the provider's profile, and after that from what LiveKit's SIP service and the RFCs do",
});

export const effectiveSettingsSchema = z
	.object({
		provider: z.enum(PROVIDER_IDS),
		followRedirects: z.boolean(),
		redirectHosts: z.array(z.string()).readonly(),
		earlyMedia: z.object({ toRoom: z.boolean(), fromRoom: z.boolean() }),
		reliableProvisional: z.enum(["off", "supported", "required"]),
		sessionTimer: z.object({ mode: z.enum(["off", "accept", "always"]), expiresSeconds: z.int(), minSeconds: z.int() }),
		identity: z.object({ fromUser: z.string().nullable(), assertedIdentity: z.string().nullable(), anonymous: z.boolean() }),
		uri: z.object({
			userPhone: z.boolean(),
			transportParameter: z.boolean(),
			numbers: z.enum(["as-given", "e164", "without-plus"]),
			prefix: z.string(),
		}),
		registration: z.object({
			enabled: z.boolean(),
			registrar: z.string().nullable(),
			user: z.string().nullable(),
			expiresSeconds: z.int(),
		}),
		tls: z.object({
			serverName: z.string().nullable(),
			clientCertificate: z.string().nullable(),
			minVersion: z.enum(["TLSv1.2", "TLSv1.3"]),
		}),
		srtp: z.object({ keying: z.enum(["sdes", "dtls", "either"]) }),
		transfer: z.object({ bridgeTrunkId: z.string().nullable(), incoming: z.enum(["refuse", "follow", "bridge"]), replaces: z.boolean() }),
		promptLanguage: z.string(),
		recording: z.object({ enabled: z.boolean(), notice: z.boolean(), directory: z.string() }),
		noiseSuppression: z.object({ uplink: z.boolean().nullable(), downlink: z.boolean(), mix: z.number() }),
		emptyRoomSeconds: z.int().nullable(),
		limits: z.object({ concurrentCalls: z.int().nullable(), callsPerSecond: z.number().nullable() }),
		refer: referDialectSchema,
		failoverStatuses: z.array(z.int()).readonly(),
	})
	.meta({ id: "EffectiveSettings", description: "the settings over the provider's profile over the generic ones; null = none" });

export const trunkSettingsViewSchema = z
	.object({
		trunkId: z.string(),
		kind: z.enum(["inbound", "outbound"]),
		settings: trunkSettingsBodySchema,
		effective: effectiveSettingsSchema,
		accepts: z
			.object({
				from: z.enum(["allowed_addresses", "provider", "anywhere"]),
				networks: z.array(z.string()).readonly(),
			})
			.optional()
			.meta({ description: "inbound: where calls may come from" }),
		suggestedProvider: z
			.enum(PROVIDER_IDS)
			.optional()
			.meta({ description: "outbound, without a provider: whose host the address is; nothing is assumed until it is set" }),
		warnings: z.array(z.string()),
	})
	.meta({ id: "TrunkSettingsView" });
export type TrunkSettingsView = z.infer<typeof trunkSettingsViewSchema>;

export const providerParamsSchema = z.object({
	id: z.enum(PROVIDER_IDS, { error: `must be one of ${PROVIDER_IDS.join(", ")}` }).meta({ description: "id of a provider" }),
});
export const providerListSchema = z.object({ providers: z.array(providerProfileSchema) }).meta({ id: "ProviderList" });
