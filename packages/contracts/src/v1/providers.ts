import * as z from "zod";
import { PROVIDER_IDS, trunkSettingsSchema } from "../trunk-settings.ts";

/*
 * Provider profiles: what is publicly known of those at the other end of trunks. Every statement has its source, and `unsure` where sources contradict
 * each other, are incomplete, or are not the provider's own.
 */

const about = {
	source: z.string().min(1).meta({ description: "name of an entry of `sources`" }),
	unsure: z.literal(true).optional().meta({ description: "to be confirmed with the provider before anything relies on it" }),
	note: z.string().optional(),
};
const statuses = z.array(z.int().min(300).max(699));

export const providerAddressSchema = z
	.object({
		network: z.union([z.cidrv4(), z.cidrv6()]).meta({ examples: ["203.0.113.0/24"] }),
		use: z.enum(["signalling", "media"]),
		region: z.string(),
		asOf: z.iso.date().meta({ description: "when the source was read" }),
		...about,
	})
	.meta({ id: "ProviderAddress" });
export type ProviderAddress = z.infer<typeof providerAddressSchema>;

export const referDialectSchema = z
	.object({
		/** what is put into the host part of Refer-To when the target is a telephone number: the target's own, the far end of the dialog, or this one */
		host: z.union([z.literal("as-given"), z.literal("dialog-peer"), z.string().regex(/^[a-z0-9.-]+\.[a-z]+$/)]),
		/** Diversion with the number that was called is required (RFC 5806) */
		diversion: z.boolean(),
		/** whether NOTIFYs tell the progress; "unknown" and "never": 202 and then BYE is a success */
		notify: z.enum(["yes", "never", "unknown"]),
	})
	.meta({ id: "ReferDialect" });
export type ReferDialect = z.infer<typeof referDialectSchema>;

const numberForm = z.enum(["e164", "without-plus", "national"]);

export const providerProfileSchema = z
	.object({
		id: z.enum(PROVIDER_IDS),
		name: z.string(),
		summary: z.string(),
		/** when the sources were read; addresses have their own date */
		asOf: z.iso.date(),
		sources: z.record(z.string(), z.string()),
		/** outbound addresses that belong to this provider and no other: `*.` = any name below */
		hosts: z.array(z.object({ host: z.string(), region: z.string(), ...about })),
		addresses: z.array(providerAddressSchema),
		/** every address that signalling may come from is known, so that others can be refused */
		signallingComplete: z.boolean(),
		mediaPorts: z.object({ from: z.int(), to: z.int(), ...about }).optional(),
		transports: z.array(z.object({ transport: z.enum(["UDP", "TCP", "TLS"]), port: z.int(), ...about })),
		codecs: z.array(z.object({ name: z.string(), ...about })).meta({ description: "in the provider's order of preference" }),
		dtmf: z.object({
			payloadType: z.int().min(96).max(127).optional(),
			methods: z.array(z.enum(["rfc4733", "info", "in-band"])),
			...about,
		}),
		srtp: z.object({
			support: z.enum(["yes", "no", "unknown"]),
			suites: z.array(z.string()),
			mki: z.boolean().optional(),
			...about,
		}),
		authentication: z.object({
			/** how they prove who they are to us */
			inbound: z.array(z.enum(["ip", "digest"])),
			/** how we prove who we are to them */
			outbound: z.array(z.enum(["ip", "digest"])),
			/** realm of their challenges */
			realm: z.enum(["any", "trunk-host"]),
			...about,
		}),
		registration: z.object({ support: z.enum(["yes", "no", "unknown"]), ...about }),
		numbers: z.object({
			/** forms in which the called number may come in, beside the one that the trunk has */
			inbound: z.array(numberForm),
			outbound: z.enum(["as-given", "e164", "without-plus"]),
			callerId: z.string().meta({ description: "what they accept as the calling number" }),
			/** host that From must have: `*.` = any name below */
			fromHost: z.string().optional(),
			...about,
		}),
		userPhone: z.object({ wanted: z.enum(["yes", "no", "unknown"]), ...about }),
		refer: referDialectSchema,
		referNotes: z.object({
			support: z.enum(["yes", "no", "unknown"]),
			kinds: z.array(z.enum(["blind", "attended"])),
			targets: z.string(),
			...about,
		}),
		sessionTimers: z.object({ support: z.enum(["yes", "no", "unknown"]), ...about }),
		/** their headers that become attributes without being asked for */
		headersToAttributes: z.record(z.string(), z.string()),
		headers: z.array(z.object({ name: z.string(), meaning: z.string(), ...about })),
		failover: z.object({
			/** our final answers after which they try another address of ours */
			theirs: z.object({ statuses, ...about }),
			/** our final answers after which they do not */
			final: z.object({ statuses, ...about }),
			/** their final answers after which we try another address of theirs */
			ours: statuses.min(1),
		}),
		/** final answers of theirs that mean something of their own */
		statuses: z.array(z.object({ status: z.int().min(300).max(699), meaning: z.string(), ...about })),
		limits: z.array(z.object({ what: z.string(), value: z.string(), ...about })),
		/** shortest time between two OPTIONS requests, milliseconds */
		optionsIntervalMs: z.int().optional(),
		/** longest call, milliseconds */
		maxCallMs: z.int().optional(),
		/** what a trunk of this provider has unless it says otherwise */
		settings: trunkSettingsSchema.omit({ provider: true }),
		notes: z.array(z.object({ text: z.string(), ...about })),
	})
	.meta({ id: "Provider" });
export type ProviderProfile = z.infer<typeof providerProfileSchema>;
