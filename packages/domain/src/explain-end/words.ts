import type { CallMedia, DecisionStep, TimelineEntry, Transport } from "@trunkline/contracts";
import { type Cause, nearestTrunk, transferRefusal } from "./cause.ts";

/** What the texts may name. */
export interface Facts {
	/** what the node or the peer said, as a sentence; "" = nothing */
	message: string;
	status: number | undefined;
	/** of an inbound call */
	decision: string;
	steps: readonly DecisionStep[];
	/** where an outbound call went */
	address: string;
	transport: Transport;
	trunk: string;
	room: string;
	region: string;
	from: string;
	to: string;
	media: CallMedia | undefined;
	timeline: readonly TimelineEntry[];
}

interface Advice {
	why: string;
	todo: string;
}

const advice =
	(why: (facts: Facts) => string, todo: string | ((facts: Facts) => string)): ((facts: Facts) => Advice) =>
	(facts) => ({ why: why(facts), todo: typeof todo === "string" ? todo : todo(facts) });

const said = ({ message }: Facts): string => message;
const LADDER = "The call's trace (ladder) shows what was sent and what was answered.";
const NOTHING = "Nothing has to be mended.";
const testOf = ({ steps }: Facts): string => nearestTrunk(steps)?.detail ?? "";
const trunkOf = ({ steps }: Facts): string => nearestTrunk(steps)?.id ?? "the trunk";

/** For each cause: why it came to that, and what to do. */
export const ADVICE: Readonly<Record<Cause, (facts: Facts) => Advice>> = {
	"no-trunk": advice(
		({ decision }) => decision,
		({ to }) =>
			`Create an inbound trunk with the number ${JSON.stringify(to)}, or one without numbers that takes every call, and call again.`,
	),
	"number-format": advice(
		({ decision, to }) => `The number came as ${JSON.stringify(to)}, which does not begin with + and a country code. ${decision}`,
		({ to }) =>
			`Have the provider send numbers in E.164 (+ and country code), or name the number on the inbound trunk exactly as it comes: ${JSON.stringify(to)}.`,
	),
	"source-not-allowed": advice(
		(facts) => `${trunkOf(facts)} names the number, but not the address that the call came from: ${testOf(facts)}.`,
		"If that address is your provider's, add it to allowed_addresses of the trunk. If you do not know it, leave it out: somebody else tried your number.",
	),
	"caller-not-allowed": advice(
		(facts) => `${trunkOf(facts)} names the number, but takes calls of certain callers only: ${testOf(facts)}.`,
		"Add the caller to allowed_numbers of the trunk, or empty that list to take everybody.",
	),
	"ambiguous-trunk": advice(
		({ decision }) => `Two inbound trunks match the call equally well, and none is preferred. ${decision}`,
		"Tell them apart by numbers, allowed_addresses or allowed_numbers, or delete one of them.",
	),
	"trunk-credentials": advice(
		(facts) => `${facts.trunk} asks for a user name and a password, and what the caller sent was not it. ${said(facts)}`,
		"Set the same auth_username and auth_password on the trunk and at the provider or telephone; or empty both and name allowed_addresses instead.",
	),
	"no-rule": advice(
		({ decision }) => decision,
		({ trunk }) => `Create a dispatch rule for ${trunk}, or one without trunks that takes the calls of all.`,
	),
	"wrong-pin": advice(
		(facts) => `The rule of the called number asks for a PIN, and no right one was entered. ${said(facts)}`,
		"Tell callers the PIN of the dispatch rule, or set another one there.",
	),
	"pin-locked": advice(
		(facts) => `So many wrong PINs came from this caller, or on this trunk, that no more are listened to for a while. ${said(facts)}`,
		"Wait some minutes. If it was not you, somebody guesses PINs: make them longer, and name allowed_addresses on the trunk.",
	),
	"session-interval": advice(
		(facts) =>
			`The caller wanted session timers (RFC 4028) shorter than the trunk allows, and did not call again with longer ones. ${said(facts)}`,
		"Lower sessionTimer.minSeconds in the trunk's settings, or raise the interval at the caller.",
	),
	"caller-gave-up": advice(
		() => "The caller hung up before the call was answered.",
		({ room }) =>
			`If that came too soon: calls are answered when somebody is there to hear them in the room ${JSON.stringify(room)}; have your agent join it sooner.`,
	),
	"nobody-in-room": advice(
		({ room }) =>
			`The call rang as long as the trunk lets it, and nobody came into the room ${JSON.stringify(room)} who could hear the caller.`,
		"Check that your agent is running, connects to the same LiveKit server and is dispatched to the room (room_config of the dispatch rule); or raise ringing_timeout of the trunk.",
	),
	"no-capacity": advice(
		(facts) => `There was no media node with room for one more call in region ${facts.region}. ${said(facts)}`,
		"Raise MAX_CALLS if the machine can do more, or run more nodes in that region. Callers whose provider tries again after a 503 come through later.",
	),
	"call-limit": advice(
		(facts) => `A limit that you have set was reached. ${said(facts)}`,
		"Raise limits in the trunk's settings, or the project's limits; if nobody of yours made those calls, find out who did first.",
	),
	"region-pinned": advice(
		(facts) => `The call is pinned to other regions than the one that it came to. ${said(facts)}`,
		"Send the call to a region that trunk and rule allow, or change regions in their settings.",
	),
	"codec-mismatch": advice(
		(facts) => `The two sides have no audio format in common. ${said(facts)}`,
		"Allow PCMU or PCMA at the telephone or provider, which nearly all have, or allow more codecs in the trunk's media settings.",
	),
	"srtp-mismatch": advice(
		(facts) => `One side wants encrypted audio (SRTP) and the other does not, or not in that way. ${said(facts)}`,
		"Make both sides say the same: media_encryption of trunk or rule (DISABLE, ALLOW, REQUIRE), and secure media at the provider. SRTP with keys in SDP needs TLS to be secret.",
	),
	"room-key": advice(
		({ room, message }) =>
			`The LiveKit server did not let the call into the room ${JSON.stringify(room)}: it does not know the key, or the secret is not the key's. ${message}`,
		"Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to those of the server at LIVEKIT_URL, and check that this machine's clock is right.",
	),
	"room-unreachable": advice(
		({ room, message }) => `The LiveKit server of the room ${JSON.stringify(room)} could not be reached. ${message}`,
		"Check that LIVEKIT_URL is right, that the server runs, and that nothing between blocks it (HTTPS, and UDP or TCP for media).",
	),
	"room-refused": advice(
		({ room, message }) => `The LiveKit server did not let the call into the room ${JSON.stringify(room)}, or put it out again. ${message}`,
		"Look into the LiveKit server's log at that time; a room may be full (max_participants) or about to be deleted.",
	),
	"destination-forbidden": advice(said, "An administrator changes where a project may call with PATCH /v1/projects/<id>."),
	"provider-credentials": advice(
		(facts) =>
			`The provider at ${facts.address} did not take the user name and password of ${facts.trunk} (SIP ${facts.status ?? 401}). ${said(facts)}`,
		"Set auth_username and auth_password of the trunk as the provider gave them. Some want the account's name in From too: from_host and the trunk's settings say how.",
	),
	"provider-forbidden": advice(
		(facts) => `The provider at ${facts.address} knows the call and refuses it (SIP 403). ${said(facts)}`,
		({ from }) =>
			`Ask the provider, or look into its portal: this address may not be allowed to call, the caller's number ${JSON.stringify(from)} may not be yours there, calls to that country may be switched off, or the account may be empty.`,
	),
	"number-unknown": advice(
		(facts) => `The other side has no such number: it answered SIP ${facts.status ?? 404}. ${said(facts)}`,
		({ to }) =>
			`Check the number ${JSON.stringify(to)}; most providers want E.164 (+ and country code), some want it without the +, as a profile or the trunk's settings say.`,
	),
	"not-available": advice(
		(facts) => `The called telephone is not there, does not answer, or takes no calls now (SIP ${facts.status ?? 480}). ${said(facts)}`,
		"Try again later. If it is a telephone of yours, check that it is registered.",
	),
	busy: advice((facts) => `The called line is busy (SIP ${facts.status ?? 486}).`, "Try again later."),
	declined: advice(
		(facts) => `The called person, or a filter of the called side, declined (SIP ${facts.status ?? 603}). ${said(facts)}`,
		"If it happens with many numbers, ask the provider whether your calls are marked as spam, and whether they are signed (STIR/SHAKEN).",
	),
	"request-terminated": advice(
		(facts) =>
			`The called side ended the call before it was answered (SIP ${facts.status ?? 487}), though we had not asked for that. ${said(facts)}`,
		`Ask the provider why. ${LADDER}`,
	),
	"peer-codec-mismatch": advice(
		(facts) =>
			`The other side can do nothing with the audio that was offered (SIP ${facts.status ?? 488}): codecs or encryption do not suit it. ${said(facts)}`,
		"Ask the provider which codecs it takes and whether it wants SRTP, and set codecs and media_encryption of the trunk accordingly.",
	),
	"provider-unavailable": advice(
		(facts) =>
			`The provider at ${facts.address} cannot take the call now (SIP ${facts.status ?? 503}): it is overloaded, has no route to the number, or your calls per second or at a time are over its limit. ${said(facts)}`,
		"Look at the provider's status page and at your account's limits. Retry-After in the trace says when to try again; a trunk whose address has several targets (DNS SRV) goes on with the next by itself.",
	),
	"provider-refused": advice(
		(facts) => `The other side refused the call (SIP ${facts.status ?? "error"}). ${said(facts)}`,
		`${LADDER} Ask the provider what that status means with it.`,
	),
	"no-answer": advice((facts) => `It rang, and nobody answered in time. ${said(facts)}`, "Try again later, or raise ringing_timeout."),
	"no-response": advice(
		(facts) => `${facts.address} neither rang nor answered: the INVITE may not arrive there, or the answers not here. ${said(facts)}`,
		({ address, transport }) =>
			`Check address and port of the trunk (${address}, ${transport}), that the provider allows this address, and that no firewall drops UDP or TCP there. npm run trunkline -- doctor asks it with OPTIONS.`,
	),
	dns: advice(
		(facts) => `The name of the trunk's address ${JSON.stringify(facts.address)} leads nowhere. ${said(facts)}`,
		"Check the trunk's address for a typing mistake, and that this machine's DNS servers know it: npm run trunkline -- doctor shows what they answer.",
	),
	"tls-certificate": advice(
		(facts) => `No secure connection (TLS) to ${facts.address} could be made. ${said(facts)}`,
		"If the certificate is of another name, use that name as the trunk's address. If it is of an authority of your own, name it in SIP_TLS_CA_FILE. If the other side does not speak TLS, set the trunk's transport to UDP or TCP.",
	),
	"connection-failed": advice(
		(facts) => `No connection to ${facts.address} could be made. ${said(facts)}`,
		({ address, transport }) =>
			`Check address, port and transport of the trunk (${address}, ${transport}), and that something listens there.`,
	),
	"no-audio": advice(
		(facts) => `The call was answered, and not one packet of audio came from the telephone. ${said(facts)} ${refusedPackets(facts)}`,
		"Audio is UDP: open the RTP ports (RTP_PORT_RANGE) from outside, and check that ADVERTISED_ADDRESS is an address that the telephone reaches: the SDP in the trace shows both sides' addresses.",
	),
	"audio-stopped": advice(
		(facts) => `The telephone's audio stopped, and so did everything else that would show that it is there. ${said(facts)}`,
		"The telephone lost its network, or a NAT forgot the way. If it is silent by intention (silence suppression, hold without signalling), switch that off there.",
	),
	"session-timer": advice(
		said,
		"The telephone, or a proxy, went away without a BYE; that is what session timers are for. If calls end so after a fixed time, something between drops re-INVITE or UPDATE: the trace shows which went unanswered.",
	),
	"no-ack": advice(
		(facts) => `Our answer was not acknowledged: what we sent, or its ACK, does not arrive. ${said(facts)}`,
		"The address in our Contact may not be one that the telephone reaches: check ADVERTISED_ADDRESS, and routers with a SIP helper (ALG), which should be off.",
	),
	"peer-gone": advice((facts) => `The telephone side was not there any more. ${said(facts)}`, LADDER),
	"max-duration": advice(said, "Raise max_call_duration of the trunk, or of the request, if calls may be longer."),
	"transfer-refused": advice(
		({ timeline }) =>
			`A transfer of the call came to nothing: ${transferRefusal({ timeline }) ?? ""}. The call went on until it was hung up.`,
		"Many providers do not take REFER, or only to numbers of their own: allow it there, or name an outbound trunk in transfer.bridgeTrunkId of the trunk's settings, over which Trunkline then calls the target itself.",
	),
	"node-stopped": advice(
		() => "The media node that had the call was stopped before the call was over.",
		"Give nodes longer to drain (DRAIN_SECONDS), so that calls end by themselves first.",
	),
	"node-lost": advice(
		(facts) => `The media node that had the call was gone without a word: its process or machine died. ${said(facts)}`,
		"Look into the node's last log lines and its memory. Its calls cannot be continued elsewhere; new ones go to other nodes.",
	),
	"internal-error": advice(
		(facts) => `A fault of Trunkline's own ended the call. ${said(facts)}`,
		"Please report it with the log lines of this call's id.",
	),
	"hung-up": advice((facts) => said(facts) || "One of the two sides hung up.", NOTHING),
	transferred: advice((facts) => said(facts) || "The call goes on with somebody else.", NOTHING),
	cancelled: advice((facts) => said(facts) || "The call was taken back before it was answered.", NOTHING),
	"rejected-by-us": advice((facts) => said(facts) || "The call was refused on our side.", LADDER),
	"participant-removed": advice(said, NOTHING),
	"room-closed": advice(said, NOTHING),
};

function refusedPackets({ media }: Facts): string {
	const refused = media?.packets?.refused ?? 0;
	const errors = media?.packets?.srtpErrors ?? 0;
	if (refused > 0) return `${refused} packets came from another address than the SDP named, and were not let in.`;
	return errors > 0 ? `${errors} packets could not be decrypted: the two sides do not have the same key.` : "";
}
