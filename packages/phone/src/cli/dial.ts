import { CallFailedError } from "../errors.ts";
import { Phone } from "../phone.ts";
import { localAddressFor, resolveProxy, resolveUri } from "../target.ts";
import { converse, prepareSound } from "./conversation.ts";
import type { CliOptions } from "./options.ts";
import { followReferrals } from "./referrals.ts";
import { complain, isQuit, listenToKeys, say, stopSignal } from "./terminal.ts";
import { failureWords, isGoodEnd, waitingWords } from "./words.ts";

/** So long without an answer, and a person wonders whether something is broken. */
const WONDER_MS = 3_000;

/** Calls, talks, hangs up; gives the exit code. */
export async function dial(uri: string, options: CliOptions): Promise<number> {
	const sound = await prepareSound(options);
	const { proxy, host, port, username, password, from, headers, codecs, timeoutMs, record, verbose } = options;
	const target = proxy === undefined ? await resolveUri(uri) : await resolveProxy(proxy);
	const phone = await Phone.open({
		host: host ?? (await localAddressFor(target)),
		codecs,
		record: record !== undefined,
		maxRecordMs: 24 * 3_600_000,
		...(port !== undefined && { port }),
		...(username !== undefined && { username }),
		...(password !== undefined && { password }),
		...(options.srtp === true && { srtp: {} }),
		...(options.dtls === true && { srtp: { dtls: true } }),
		...(verbose === true && { log: say }),
	});
	const signal = stopSignal();
	try {
		if (sound.note !== undefined) say(sound.note);
		say(`calling ${uri}`);
		const call = await phone.call(uri, { headers, timeoutMs, ...(from !== undefined && { from }), ...(proxy !== undefined && { proxy }) });
		call.setSource(sound.source());
		const referrals = followReferrals(phone, options, sound);
		call.on("provisional", ({ status, reason }) => say(`${status} ${reason}`));
		const ignoreKeys = listenToKeys((key) => isQuit(key) && signal.stop());
		void signal.stopped.then(() => call.cancel());
		const wonder = setTimeout(() => say(waitingWords(call.state)), WONDER_MS);
		try {
			await Promise.race([call.answered(), signal.stopped]);
			// a far side that is not there confirms no CANCEL either: the phone's close ends the call then
			if (call.state !== "answered") await phone.close();
		} finally {
			clearTimeout(wonder);
			ignoreKeys();
		}
		const end = await converse(call, options, signal.stopped, 1);
		await referrals.over(signal.stopped);
		return isGoodEnd(end) ? 0 : 1;
	} catch (error) {
		if (!(error instanceof CallFailedError)) throw error;
		complain(`the call failed: ${failureWords(error.end)}`);
		return 1;
	} finally {
		signal.dispose();
		await phone.close();
	}
}
