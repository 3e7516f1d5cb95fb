import { networkInterfaces } from "node:os";
import type { IncomingCall } from "../incoming-call.ts";
import { CallFailedError, PhoneError } from "../errors.ts";
import { Phone } from "../phone.ts";
import { converse, prepareSound, type Sound } from "./conversation.ts";
import type { CliOptions } from "./options.ts";
import { followReferrals } from "./referrals.ts";
import { complain, isInteractive, isQuit, listenToKeys, say, stopSignal } from "./terminal.ts";
import { failureWords, isGoodEnd } from "./words.ts";

const BUSY = 486;
const DECLINE = 603;

/** Waits for calls and does with them what the options say, until it is stopped; gives the exit code. */
export async function listen(port: number, options: CliOptions): Promise<number> {
	const sound = await prepareSound(options);
	const host = options.host ?? "127.0.0.1";
	const address = isWildcard(host) ? externalAddress() : host;
	const phone = await Phone.open({
		host,
		port,
		address,
		codecs: options.codecs,
		record: options.record !== undefined,
		maxRecordMs: 24 * 3_600_000,
		...(options.username !== undefined && { username: options.username }),
		...(options.srtp === true && { srtp: {} }),
		...(options.dtls === true && { srtp: { dtls: true } }),
		...(options.verbose === true && { log: say }),
	});
	const signal = stopSignal();
	try {
		say(`waiting for calls to sip:<anything>@${address.includes(":") ? `[${address}]` : address}:${port}; ${plan(options)}; Ctrl-C ends`);
		return await serve(phone, options, sound, signal);
	} finally {
		signal.dispose();
		await phone.close();
	}
}

async function serve(phone: Phone, options: CliOptions, sound: Sound, { stopped, stop }: ReturnType<typeof stopSignal>): Promise<number> {
	let count = 0;
	let current: Promise<void> | undefined;
	let exitCode = 0;
	const referrals = followReferrals(phone, options, sound);
	const goOn = async (call: IncomingCall): Promise<number> => {
		const code = await oneCall(call, options, sound, stopped, stop, count);
		await referrals.over(stopped);
		return code;
	};
	phone.onIncoming((call) => {
		say(`call from ${call.from === "" ? "somebody" : call.from} to ${call.to}`);
		if (current !== undefined) {
			call.reject(BUSY);
			say("refused: one call is going on");
			return;
		}
		count += 1;
		current = goOn(call).then(
			(code) => {
				exitCode = code;
				current = undefined;
				if (options.once === true) stop();
			},
			(error: unknown) => {
				complain(error instanceof Error ? error.message : String(error));
				exitCode = 1;
				current = undefined;
				if (options.once === true) stop();
			},
		);
	});
	const ignoreKeys = listenToKeys((key) => current === undefined && isQuit(key) && stop());
	await stopped;
	ignoreKeys();
	await current;
	return options.once === true ? exitCode : 0;
}

async function oneCall(
	call: IncomingCall,
	options: CliOptions,
	sound: Sound,
	stopped: Promise<void>,
	stop: () => void,
	count: number,
): Promise<number> {
	const status = refusal(options);
	if (status !== undefined) {
		call.reject(status);
		say(`refused with ${status}`);
		return 0;
	}
	call.setSource(sound.source());
	call.ring();
	if (sound.note !== undefined) say(sound.note);
	void stopped.then(() => call.state === "ringing" && call.hangup());
	try {
		if (options.answer === true || (options.answer === undefined && !isInteractive())) await call.answer({ headers: options.headers });
		else await waitForAnswer(call, options, stop);
		return isGoodEnd(await converse(call, options, stopped, count)) ? 0 : 1;
	} catch (error) {
		if (error instanceof PhoneError) complain(error.message);
		else if (error instanceof CallFailedError) say(`not answered: ${failureWords(error.end)}`);
		else throw error;
		return 1;
	}
}

/** Rings until a person decides, or the caller gives up. */
async function waitForAnswer(call: IncomingCall, options: CliOptions, stop: () => void): Promise<void> {
	const mayAnswer = options.answer === undefined;
	say(mayAnswer ? "ringing: a answers, r declines" : "ringing, and nobody answers");
	const ignoreKeys = listenToKeys((key) => {
		if (isQuit(key)) stop();
		else if (mayAnswer && key === "a") void call.answer({ headers: options.headers }).catch((error: Error) => complain(error.message));
		else if (mayAnswer && key === "r") call.reject(DECLINE);
	});
	try {
		await call.answered();
	} finally {
		ignoreKeys();
	}
}

function refusal({ busy, decline, reject }: CliOptions): number | undefined {
	if (busy === true) return BUSY;
	return decline === true ? DECLINE : reject;
}

function plan(options: CliOptions): string {
	const status = refusal(options);
	if (status !== undefined) return `they are refused with ${status}`;
	if (options.answer === false) return "they ring without an answer";
	return options.answer === true || !isInteractive() ? "they are answered" : "a answers, r declines";
}

function isWildcard(host: string): boolean {
	return host === "0.0.0.0" || host === "::";
}

/** The first address of this machine that others may reach, for Contact and SDP. */
function externalAddress(): string {
	const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
	const found = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
	if (found === undefined) throw new PhoneError("this machine has no address that others can reach; give one with --host");
	return found.address;
}
