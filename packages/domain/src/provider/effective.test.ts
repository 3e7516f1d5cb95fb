import { describe, expect, it, test } from "vitest";
import { effectiveSettings, failoverStatuses, statusMeaning, tlsOf } from "./effective.ts";

describe("effective settings", () => {
	it("without settings nothing is assumed of the peer", () => {
		expect(effectiveSettings(undefined)).toEqual({
			provider: "generic",
			followRedirects: false,
			redirectHosts: [],
			earlyMedia: { toRoom: false, fromRoom: false },
			reliableProvisional: "supported",
			sessionTimer: { mode: "accept", expiresSeconds: 1800, minSeconds: 90 },
			identity: { fromUser: null, assertedIdentity: null, anonymous: false },
			uri: { userPhone: false, transportParameter: true, numbers: "as-given", prefix: "" },
			registration: { enabled: false, registrar: null, user: null, expiresSeconds: 3600 },
			srtp: { keying: "sdes" },
			tls: { serverName: null, clientCertificate: null, minVersion: "TLSv1.2" },
			transfer: { bridgeTrunkId: null, incoming: "refuse", replaces: false },
			promptLanguage: "en",
			recording: { enabled: false, notice: false, directory: "" },
			noiseSuppression: { uplink: null, downlink: false, mix: 1 },
			emptyRoomSeconds: null,
			limits: { concurrentCalls: null, callsPerSecond: null },
			refer: { host: "as-given", diversion: false, notify: "unknown" },
			failoverStatuses: [503],
		});
	});

	it("a trunk's settings win field by field, what they leave out stays", () => {
		const settings = effectiveSettings({ sessionTimer: { mode: "always" }, uri: { prefix: "00" }, followRedirects: true });
		expect(settings.sessionTimer).toEqual({ mode: "always", expiresSeconds: 1800, minSeconds: 90 });
		expect(settings.uri).toEqual({ userPhone: false, transportParameter: true, numbers: "as-given", prefix: "00" });
		expect(settings.followRedirects).toBe(true);
		expect(settings.redirectHosts).toEqual([]);
	});

	it("RFC 3263 §4.3: a 503 sends a call to the next target, a busy callee does not", () => {
		expect(failoverStatuses(undefined)).toContain(503);
		for (const final of [404, 486, 600, 603]) expect(failoverStatuses({ provider: "generic" })).not.toContain(final);
	});
});

describe("what a status means", () => {
	it("is the provider's own, told as unsure where it is", () => {
		expect(statusMeaning({ provider: "wavix" }, 603)).toBe(
			"with Wavix this means, as far as is known: the rate is above the account's cap, or there is no active registration",
		);
		expect(statusMeaning({ provider: "exotel" }, 403)).toMatch(/^with Exotel.* this means: the calling number/);
		expect(statusMeaning({ provider: "wavix" }, 486)).toBeUndefined();
		expect(statusMeaning(undefined, 603)).toBeUndefined();
	});
});

test("a client certificate is its project's own: in the project's folder, but for the deployment's project", () => {
	const settings = { tls: { clientCertificate: "acme" } };
	expect(tlsOf(settings, "p_1", "p_1").clientCertificate).toBe("acme");
	expect(tlsOf(settings, "p_2", "p_1").clientCertificate).toBe("p_2/acme");
	expect(tlsOf(undefined, "p_2", "p_1").clientCertificate).toBeNull();
});
