import { createSocket, type Socket } from "node:dgram";
import { createServer } from "node:net";
import type { CallDetails } from "@trunkline/contracts";
import type { Phone } from "@trunkline/phone";
import { DnsServer } from "@trunkline/testkit";
import { TestAuthority } from "@trunkline/testkit/certificates";
import { SIPMediaConfig } from "@livekit/protocol";
import { AccessToken } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { trunkline } from "./cli.ts";
import { Testbed, until } from "./testbed.ts";

/*
 * Calls that fail, each for real, and what the API and the command line say of it: the same words.
 */

let bed: Testbed;
let dns: DnsServer;
const sockets: Socket[] = [];
beforeAll(async () => {
	dns = await DnsServer.start({});
	bed = await Testbed.start({ SIP_DNS_SERVERS: dns.address });
});
afterEach(async () => {
	await bed.clear();
	for (const socket of sockets.splice(0)) socket.close();
});
afterAll(async () => {
	await bed.close();
	await dns.close();
});

async function get<T>(path: string, of: Testbed = bed): Promise<T> {
	const token = new AccessToken(of.access.apiKey, of.access.apiSecret);
	token.addSIPGrant({ admin: true });
	const response = await fetch(`${of.local.url}${path}`, { headers: { authorization: `Bearer ${await token.toJwt()}` } });
	return (await response.json()) as T;
}

/** The ended call to this number. */
async function ended(number: string, of: Testbed = bed): Promise<CallDetails> {
	let id = "";
	await until(
		async () => {
			const { calls } = await get<{ calls: { id: string; to: string; state: string }[] }>("/v1/calls?limit=100", of);
			id = calls.find(({ to, state }) => to === number && state === "ended")?.id ?? "";
			return id !== "";
		},
		`a call to ${number} that has ended`,
		20_000,
	);
	return get<CallDetails>(`/v1/calls/${id}`, of);
}

/** Asks API and command line about the call, and expects one answer of both. */
async function expectExplained(number: string, cause: string, words: RegExp, of: Testbed = bed): Promise<void> {
	const { id, explanation } = await ended(number, of);
	expect(explanation).toMatchObject({ cause });
	if (explanation === undefined) return;
	expect(`${explanation.why} ${explanation.whatToDo}`).toMatch(words);
	expect(explanation.whatToDo).not.toBe("");
	const json = await trunkline(of.local.url, "explain", id, "--json");
	expect(JSON.parse(json.out)).toEqual(explanation);
	const { code, out } = await trunkline(of.local.url, "explain", id);
	expect(code).toBe(0);
	expect(out).toBe(`${explanation.what}\nWhy: ${explanation.why}\nWhat to do: ${explanation.whatToDo}\n`);
}

let last = 15_559_000;
const newNumber = (): string => `+${++last}`;

async function trunk(number: string, options: Parameters<Testbed["sip"]["createSipInboundTrunk"]>[2] = {}): Promise<string> {
	return (await bed.sip.createSipInboundTrunk(number, [number], options)).sipTrunkId;
}

async function rule(trunkId: string): Promise<void> {
	await bed.sip.createSipDispatchRule({ type: "direct", roomName: `explained-${last}`, pin: "" }, { trunkIds: [trunkId] });
}

type CallOptions = NonNullable<Parameters<Phone["call"]>[1]>;

/** A telephone calls the number, and is refused. */
async function callIn(number: string, options: CallOptions = {}, phone?: Parameters<Testbed["phone"]>[0]): Promise<void> {
	const call = await (await bed.phone(phone)).call(bed.uri(number), { from: "+15551111", ...options });
	await call.answered().catch(() => {});
	call.hangup();
}

describe("an inbound call", () => {
	it.each<[string, RegExp, (number: string) => Promise<string | void>]>([
		["no-trunk", /No inbound trunk names the called number.*Create an inbound trunk with the number/s, (number) => callIn(number)],
		[
			"number-format",
			/does not begin with \+ and a country code/,
			async (number) => {
				await trunk(number);
				const national = `00${number.slice(1)}`;
				await callIn(national);
				return national;
			},
		],
		[
			"source-not-allowed",
			/source "127\.0\.0\.1" is not in \[203\.0\.113\.0\/24\].*allowed_addresses/s,
			async (number) => {
				await trunk(number, { allowedAddresses: ["203.0.113.0/24"] });
				await callIn(number);
			},
		],
		[
			"caller-not-allowed",
			/caller "\+15551111" is not in \["\+15552222"\]/,
			async (number) => {
				await trunk(number, { allowedNumbers: ["+15552222"] });
				await callIn(number);
			},
		],
		[
			"trunk-credentials",
			/user name and a password.*auth_username and auth_password/s,
			async (number) => {
				await trunk(number, { authUsername: "carrier", authPassword: "right" });
				await callIn(number, { username: "carrier", password: "wrong" });
			},
		],
		[
			"no-rule",
			/No dispatch rule is for this trunk.*Create a dispatch rule/s,
			async (number) => {
				await trunk(number);
				await callIn(number);
			},
		],
		[
			"codec-mismatch",
			/no audio format in common.*none of the codecs/s,
			async (number) => {
				const media = new SIPMediaConfig({ onlyListedCodecs: true, codecs: [{ name: "G722", rate: 8000 }] });
				await rule(await trunk(number, { media }));
				await callIn(number, { codecs: ["PCMU"] });
			},
		],
		[
			"srtp-mismatch",
			/encrypted audio \(SRTP\) and the other does not.*media_encryption/s,
			async (number) => {
				await rule(await trunk(number, { media: new SIPMediaConfig({ encryption: 2 }) }));
				await callIn(number);
			},
		],
		[
			"nobody-in-room",
			/nobody came into the room "explained-\d+".*agent/s,
			async (number) => {
				await rule(await trunk(number, { ringingTimeout: 1 }));
				await callIn(number);
			},
		],
		[
			"call-limit",
			/calls at a time.*Raise limits in the trunk's settings/s,
			async (number) => {
				const trunkId = await trunk(number);
				await rule(trunkId);
				await bed.settings(trunkId, { limits: { concurrentCalls: 1 } });
				const first = await (await bed.phone()).call(bed.uri(number), { from: "+15552222" });
				await callIn(number);
				first.hangup();
			},
		],
	])("%s", async (cause, words, make) => {
		const number = newNumber();
		const called = await make(number);
		// With a limit the first call ends too, of its own accord.
		if (cause === "call-limit") return expectOneOf(number, cause, words);
		await expectExplained(called ?? number, cause, words);
	});

	async function expectOneOf(number: string, cause: string, words: RegExp): Promise<void> {
		let id = "";
		await until(async () => {
			const { calls } = await get<{ calls: { id: string; to: string; end?: { sipStatus?: number } }[] }>("/v1/calls?limit=100");
			id = calls.find(({ to, end }) => to === number && end?.sipStatus === 503)?.id ?? "";
			return id !== "";
		}, "the call that was one too many");
		const { explanation } = await get<CallDetails>(`/v1/calls/${id}`);
		expect(explanation).toMatchObject({ cause });
		expect(`${explanation?.why} ${explanation?.whatToDo}`).toMatch(words);
		expect(JSON.parse((await trunkline(bed.local.url, "explain", id, "--json")).out)).toEqual(explanation);
	}

	it("no-capacity: a node that is full has a record of what it refused", async () => {
		const small = await Testbed.start({ MAX_CALLS: "1" });
		try {
			const number = newNumber();
			await small.inbound(number, "small");
			const phone = await small.phone();
			const first = await phone.call(small.uri(number), { from: "+15552222" });
			await until(() => small.local.stats().node.calls === 1, "the first call to be there");
			const second = await phone.call(small.uri(number), { from: "+15553333" });
			await second.answered().catch(() => {});
			await expectExplained(number, "no-capacity", /limit of calls.*MAX_CALLS/s, small);
			first.hangup();
		} finally {
			await small.close();
		}
	});

	it("transfer-refused: the call goes on, and why it was not transferred is told at its end", async () => {
		const number = newNumber();
		await bed.inbound(number, "explained-transfer");
		await (await bed.participant("explained-transfer", "agent")).speak(440);
		const phone = await bed.phone({ username: "+15559999" });
		phone.onReferral((referral) => referral.reject(603, "Decline"));
		const call = await phone.call(bed.uri(number));
		await call.answered();
		await until(async () => (await trunkline(bed.local.url, "calls", "list", "--live")).out.includes("active"), "the call to be active");
		const { code, err } = await trunkline(bed.local.url, "calls", "transfer", "last", "+15550142");
		expect({ code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/603/) as unknown });
		call.hangup();
		await expectExplained(number, "transfer-refused", /603 Decline.*bridgeTrunkId/s);
	});
});

/** A trunk to this address; calls the number over it, and expects no answer. */
async function callOut(number: string, address: string, transport: 0 | 1 | 2 | 3 = 0, ringingTimeout = 5): Promise<void> {
	const made = await bed.sip.createSipOutboundTrunk("out", address, [newNumber()], { transport });
	const room = `explained-out-${last}`;
	await bed.sip.createSipParticipant(made.sipTrunkId, number, room, { waitUntilAnswered: true, ringingTimeout }).catch(() => {});
}

describe("an outbound call", () => {
	it.each<[number, string, string, RegExp]>([
		[401, "Unauthorized", "provider-credentials", /did not take the user name and password/],
		[403, "Forbidden", "provider-forbidden", /refuses it \(SIP 403\).*account may be empty/s],
		[404, "Not Found", "number-unknown", /no such number: it answered SIP 404/],
		[480, "Temporarily Unavailable", "not-available", /SIP 480/],
		[408, "Request Timeout", "not-available", /SIP 408/],
		[486, "Busy Here", "busy", /busy \(SIP 486\)/],
		[487, "Request Terminated", "request-terminated", /SIP 487/],
		[488, "Not Acceptable Here", "peer-codec-mismatch", /codecs and media_encryption/],
		[503, "Service Unavailable", "provider-unavailable", /status page/],
		[603, "Decline", "declined", /declined \(SIP 603\)/],
	])("that is answered %i %s", async (status, reason, cause, words) => {
		const phone = await bed.phone();
		phone.onIncoming((call) => call.reject(status, reason));
		const number = newNumber();
		await callOut(number, `127.0.0.1:${phone.port}`);
		await expectExplained(number, cause, words);
	});

	it("no-answer: it rings", async () => {
		const phone = await bed.phone();
		phone.onIncoming((call) => call.ring());
		const number = newNumber();
		await callOut(number, `127.0.0.1:${phone.port}`, 0, 1);
		await expectExplained(number, "no-answer", /It rang, and nobody answered in time/);
	});

	it("no-response: nobody answers the INVITE", async () => {
		const number = newNumber();
		await callOut(number, `127.0.0.1:${await udpPort(() => {})}`, 1, 1);
		await expectExplained(number, "no-response", /neither rang nor answered.*doctor/s);
	});

	it("connection-failed: nothing listens", async () => {
		const number = newNumber();
		await callOut(number, `127.0.0.1:${await closedTcpPort()}`, 2);
		await expectExplained(number, "connection-failed", /No connection to 127\.0\.0\.1:\d+ could be made/);
	});

	it("dns: the name leads nowhere", async () => {
		const number = newNumber();
		await callOut(number, "carrier.invalid");
		await expectExplained(number, "dns", /"carrier\.invalid" leads nowhere.*typing mistake/s);
	});

	it("tls-certificate: of an authority that nobody knows", async () => {
		const authority = await TestAuthority.create("of nobody");
		const phone = await bed.phone({ transport: "TLS", tls: await authority.issue({ dns: ["localhost"] }) });
		const number = newNumber();
		await callOut(number, `127.0.0.1:${phone.port}`, 3);
		await expectExplained(number, "tls-certificate", /No secure connection \(TLS\).*SIP_TLS_CA_FILE/s);
	});

	it("no-audio: answered, and not one packet comes", async () => {
		const port = await udpPort((bytes, answer) => {
			if (bytes.startsWith("INVITE ")) answer(bytes, "200 OK", SILENT_SDP);
			if (bytes.startsWith("BYE ")) answer(bytes, "200 OK");
		});
		const number = newNumber();
		await callOut(number, `127.0.0.1:${port}`, 1);
		await expectExplained(number, "no-audio", /not one packet of audio came.*RTP_PORT_RANGE/s);
	});

	it("a destination that the policy forbids: refused before there is a call, in the same words by API and command line", async () => {
		const made = await bed.sip.createSipOutboundTrunk("premium", "127.0.0.1:9", [newNumber()], { transport: 1 });
		const said = await bed.sip
			.createSipParticipant(made.sipTrunkId, "+19005551234", "r")
			.catch((error: unknown) => (error as Error).message);
		expect(said).toMatch(/may not be called: .*An administrator changes/);
		const { code, err } = await trunkline(bed.local.url, "call", "+19005551234", "--trunk", made.sipTrunkId);
		expect(code).toBe(1);
		expect(said).toContain(err.replace(/^trunkline: /, "").trim());
	});
});

describe("the room's side", () => {
	it.each<[string, RegExp, () => Promise<Record<string, string>>]>([
		[
			"room-key",
			/does not know the key, or the secret is not the key's.*LIVEKIT_API_SECRET/s,
			async () => ({ LIVEKIT_URL: bed.local.url, LIVEKIT_API_KEY: "devkey", LIVEKIT_API_SECRET: "not the secret of the key devkey" }),
		],
		[
			"room-unreachable",
			/could not be reached.*LIVEKIT_URL/s,
			async () => ({ LIVEKIT_URL: `http://127.0.0.1:${await closedTcpPort()}`, LIVEKIT_API_KEY: "devkey", LIVEKIT_API_SECRET: "secret" }),
		],
	])("%s", async (cause, words, settings) => {
		const other = await Testbed.start(await settings());
		try {
			const number = newNumber();
			await other.inbound(number, "nowhere");
			const call = await (await other.phone()).call(other.uri(number), { from: "+15551111" });
			await call.answered().catch(() => {});
			const { explanation } = await ended(number, other);
			expect(explanation).toMatchObject({ cause });
			expect(`${explanation?.why} ${explanation?.whatToDo}`).toMatch(words);
		} finally {
			await other.close();
		}
	});
});

const SILENT_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

/** Somebody with a UDP port who answers as told. */
async function udpPort(
	onMessage: (message: string, answer: (request: string, status: string, sdp?: string) => void) => void,
): Promise<number> {
	const socket = createSocket("udp4");
	sockets.push(socket);
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
	const { port } = socket.address();
	socket.on("message", (bytes, from) => {
		onMessage(bytes.toString(), (request, status, sdp = "") => {
			const copied = request.split("\r\n").filter((line) => /^(?:via|from|call-id|cseq):/i.test(line));
			const to = /^to:.*$/im.exec(request)?.[0] ?? "";
			const lines = [`SIP/2.0 ${status}`, ...copied, to.includes(";tag=") ? to : `${to};tag=1`, `Contact: <sip:127.0.0.1:${port}>`];
			if (sdp !== "") lines.push("Content-Type: application/sdp");
			socket.send(`${lines.join("\r\n")}\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`, from.port, from.address);
		});
	});
	return port;
}

async function closedTcpPort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}
