// Parts that trunks, rules and requests share; proto ⇄ domain, pure.
import { Duration, Timestamp } from "@bufbuild/protobuf";
import { SIPCodec, type SIPHeaderOptions, SIPMediaConfig, type SIPMediaEncryption, type SIPTransport } from "@livekit/protocol";
import type { IncludeHeaders, MediaConfig, MediaEncryption, Transport } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";

const TRANSPORTS: readonly Transport[] = ["AUTO", "UDP", "TCP", "TLS"];
const INCLUDE_HEADERS: readonly IncludeHeaders[] = ["NO", "X_HEADERS", "ALL"];
const ENCRYPTIONS: readonly MediaEncryption[] = ["DISABLE", "ALLOW", "REQUIRE"];

export const transportOf = (value: SIPTransport): Transport => member("transport", TRANSPORTS, value);
export const includeHeadersOf = (value: SIPHeaderOptions): IncludeHeaders => member("include_headers", INCLUDE_HEADERS, value);
export const encryptionOf = (value: SIPMediaEncryption): MediaEncryption => member("media_encryption", ENCRYPTIONS, value);

export const protoTransport = (value: Transport): SIPTransport => TRANSPORTS.indexOf(value);
export const protoIncludeHeaders = (value: IncludeHeaders): SIPHeaderOptions => INCLUDE_HEADERS.indexOf(value);
export const protoEncryption = (value: MediaEncryption): SIPMediaEncryption => ENCRYPTIONS.indexOf(value);

/** ms; `undefined` when unset or 0, which LiveKit takes for unset. */
export function durationMs(duration: Duration | undefined): number | undefined {
	if (duration === undefined) return undefined;
	const ms = Number(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1_000_000);
	return ms === 0 ? undefined : ms;
}

export function protoDuration(ms: number): Duration {
	return new Duration({ seconds: BigInt(Math.trunc(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });
}

export function protoTimestamp(ms: number): Timestamp {
	return Timestamp.fromDate(new Date(ms));
}

export function mediaOf(media: SIPMediaConfig | undefined): { media?: MediaConfig } {
	if (media === undefined) return {};
	const mediaTimeoutMs = durationMs(media.mediaTimeout);
	return {
		media: {
			onlyListedCodecs: media.onlyListedCodecs,
			codecs: media.codecs.map(({ name, rate }) => ({ name, rate })),
			...(media.encryption === undefined ? {} : { encryption: encryptionOf(media.encryption) }),
			...(mediaTimeoutMs === undefined ? {} : { mediaTimeoutMs }),
		},
	};
}

export function protoMedia(media: MediaConfig | undefined): { media?: SIPMediaConfig } {
	if (media === undefined) return {};
	const proto = new SIPMediaConfig({ onlyListedCodecs: media.onlyListedCodecs, codecs: media.codecs.map((codec) => new SIPCodec(codec)) });
	if (media.encryption !== undefined) proto.encryption = protoEncryption(media.encryption);
	if (media.mediaTimeoutMs !== undefined) proto.mediaTimeout = protoDuration(media.mediaTimeoutMs);
	return { media: proto };
}

/** proto3 enums are open: a number that this version does not know can arrive. */
function member<T>(field: string, members: readonly T[], value: number): T {
	const found = members[value];
	if (found === undefined) throw new DomainError("invalid_argument", `unknown value ${value} of ${field}`);
	return found;
}
