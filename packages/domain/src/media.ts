import type { MediaConfig, MediaEncryption } from "@trunkline/contracts";
import { invalid } from "./check.ts";
import { MAX_CODECS } from "./limits.ts";

/** Names that LiveKit's SIP service knows. It takes any name at write and fails the call later; here an unknown one is refused at write. */
const CODECS = new Set(["pcmu", "pcma", "g722", "amr-wb", "opus", "telephone-event"]);
const MAX_MEDIA_TIMEOUT_MS = 600_000;

/** Throws `invalid_argument`, with LiveKit's texts where it has one. */
export function checkMedia(media: MediaConfig | undefined): void {
	if (media === undefined) return;
	if (media.codecs.length > MAX_CODECS) throw invalid(`media has ${media.codecs.length} codecs, at most ${MAX_CODECS} are allowed`);
	for (const { name } of media.codecs) {
		if (name === "") throw invalid("missing codec name");
		if (/[ \t\r\n]/.test(name)) throw invalid("invalid codec name");
		if (name.includes("/")) throw invalid("codec name must not contain '/'");
		if (!CODECS.has(name.toLowerCase())) throw invalid(`unknown codec name ${JSON.stringify(name)}, known are: ${[...CODECS].join(", ")}`);
	}
	if (media.onlyListedCodecs && media.codecs.length === 0) throw invalid("only_listed_codecs is set but no codecs are listed");
	if (media.mediaTimeoutMs !== undefined && media.mediaTimeoutMs < 0) throw invalid("media_timeout must not be negative");
	if (media.mediaTimeoutMs !== undefined && media.mediaTimeoutMs > MAX_MEDIA_TIMEOUT_MS)
		throw invalid("media_timeout must not exceed 10m0s");
}

interface WithMedia {
	media?: MediaConfig;
	/** the older field; counts when `media.encryption` is unset */
	mediaEncryption: MediaEncryption;
}

/**
 * What holds for a call: trunk first, then the rule or request on top of it. Per field the later one wins; codecs and only_listed_codecs go together;
 * an encryption of DISABLE does not override ALLOW or REQUIRE below it.
 */
export function mergeMedia(base: WithMedia, over: WithMedia): MediaConfig | undefined {
	const [below, above] = [upgrade(base), upgrade(over)];
	if (below === undefined || above === undefined) return above ?? below;
	const codecs = above.codecs.length > 0 ? above : below;
	const encryption =
		above.encryption === undefined || above.encryption === "DISABLE" ? (below.encryption ?? above.encryption) : above.encryption;
	const mediaTimeoutMs = above.mediaTimeoutMs ?? below.mediaTimeoutMs;
	return {
		onlyListedCodecs: codecs.onlyListedCodecs,
		codecs: codecs.codecs,
		...(encryption === undefined ? {} : { encryption }),
		...(mediaTimeoutMs === undefined ? {} : { mediaTimeoutMs }),
	};
}

/**
 * The media fields after an update, as in LiveKit: a media object replaces the whole old one, but encryption that is in force stays until an update says
 * otherwise; the older field then says what the object says. Named alone the older field changes the object too, where LiveKit lets the object
 * win and the update has no effect.
 */
export function mediaUpdate(
	{ media, mediaEncryption }: WithMedia,
	update: { media?: MediaConfig; mediaEncryption?: MediaEncryption },
): WithMedia {
	const older = update.mediaEncryption ?? mediaEncryption;
	const next = update.media ?? (media && update.mediaEncryption ? { ...media, encryption: update.mediaEncryption } : media);
	if (next === undefined) return { mediaEncryption: older };
	const encryption = next.encryption ?? (older === "DISABLE" ? undefined : older);
	return { media: { ...next, ...(encryption === undefined ? {} : { encryption }) }, mediaEncryption: encryption ?? "DISABLE" };
}

function upgrade({ media, mediaEncryption }: WithMedia): MediaConfig | undefined {
	if (mediaEncryption === "DISABLE" || media?.encryption !== undefined) return media;
	return { ...(media ?? { onlyListedCodecs: false, codecs: [] }), encryption: mediaEncryption };
}
