import { expect, test } from "vitest";
import { failureWords } from "./words.ts";

const failed = { answered: false, by: "remote" } as const;

test("488 may be about codecs or about encryption", () => {
	expect(failureWords({ ...failed, cause: "rejected", status: 488, reason: "Not Acceptable Here" })).toBe(
		"488 Not Acceptable Here: no codec in common, or one side wants the audio encrypted and the other one does not (--codec, --srtp, --dtls)",
	);
});

test("a certificate of an unknown authority: what can be done here, and not what Node would have done", () => {
	const reason = "self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca";
	expect(failureWords({ ...failed, cause: "transport", reason })).toBe(
		"the address cannot be reached (self-signed certificate; with NODE_EXTRA_CA_CERTS=ca.pem before the command an authority of yours is believed)",
	);
	expect(failureWords({ ...failed, cause: "transport", reason: "connect ECONNREFUSED" })).toBe(
		"the address cannot be reached (connect ECONNREFUSED)",
	);
});
