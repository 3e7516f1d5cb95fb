import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig, SettingError } from "./config.ts";

const read = (env: Record<string, string | undefined>) => readConfig(env, "/srv/me");

function problem(env: Record<string, string>): string {
	try {
		read(env);
	} catch (error) {
		expect(error).toBeInstanceOf(SettingError);
		return (error as Error).message;
	}
	throw new Error(`${JSON.stringify(env)} was taken`);
}

const access = { LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "s3cret" };

describe("settings", () => {
	test("defaults", () => {
		expect(read({})).toEqual({
			host: "127.0.0.1",
			advertisedAddress: "127.0.0.1",
			port: 7880,
			sipPort: 5060,
			sip: { tlsPort: 5061, tls: {}, connections: {} },
			rtpPortRange: [10_000, 20_000],
			dataDir: join(import.meta.dirname, "../../../.trunkline"),
			apiKey: "devkey",
			apiSecret: "secret",
			logLevel: "warn",
			strictDispatch: true,
			unknownSources: "auto",
			roomWebhookUrls: [],
			mediaWorkers: 1,
			qualityEveryMs: 5_000,
			roomRecoveryMs: 60_000,
			maxCalls: 500,
			traces: { retentionMs: 7 * 86_400_000, numbersMasked: false },
		});
	});

	test("all of them set", () => {
		expect(
			read({
				HOST: "0.0.0.0",
				ADVERTISED_ADDRESS: "192.0.2.7",
				PORT: "0",
				SIP_PORT: "65535",
				RTP_PORT_RANGE: "1024-65535",
				DATA_DIR: "data",
				LIVEKIT_URL: "wss://example.livekit.cloud",
				...access,
				LOG_LEVEL: "silent",
				STRICT_DISPATCH: "false",
				SIP_UNKNOWN_SOURCES: "drop",
				MEDIA_WORKERS: "0",
				QUALITY_EVERY_SECONDS: "20",
				MAX_CALLS: "1000",
				TRACES_RETENTION: "3",
				TRACE_NUMBERS: "masked",
				TRACES_DIR: "seen",
			}),
		).toEqual({
			host: "0.0.0.0",
			advertisedAddress: "192.0.2.7",
			port: 0,
			sipPort: 65_535,
			sip: { tlsPort: 5061, tls: {}, connections: {} },
			rtpPortRange: [1024, 65_535],
			dataDir: "/srv/me/data",
			livekitUrl: "wss://example.livekit.cloud",
			roomWebhookUrls: [],
			apiKey: "key",
			apiSecret: "s3cret",
			logLevel: "silent",
			strictDispatch: false,
			unknownSources: "drop",
			mediaWorkers: 0,
			qualityEveryMs: 20_000,
			roomRecoveryMs: 60_000,
			traces: { retentionMs: 3 * 86_400_000, numbersMasked: true },
			tracesDir: "/srv/me/seen",
			maxCalls: 1000,
		});
	});

	test("an empty variable is not set", () => {
		expect(read({ HOST: "", PORT: "", DATA_DIR: "", LIVEKIT_URL: "", LIVEKIT_API_KEY: "", MAX_CALLS: undefined })).toEqual(read({}));
	});

	test("key and secret alone are those of the embedded server", () => {
		expect(read(access)).toMatchObject({ apiKey: "key", apiSecret: "s3cret" });
		expect(read(access).livekitUrl).toBeUndefined();
	});

	test.each([
		["10000-10010", 6],
		["10001-10002", 1],
		["10001-10004", 2],
		["20000-40000", 500],
	])("range %s without MAX_CALLS: %i calls", (RTP_PORT_RANGE, calls) => {
		expect(read({ RTP_PORT_RANGE }).maxCalls).toBe(calls);
	});

	test.each([
		["0.0.0.0", /^\d+(\.\d+){3}$/],
		["::", /:/],
		["0:0:0:0:0:0:0:0", /:/],
	])("HOST=%s advertises an address that can be reached", (HOST, form) => {
		const { advertisedAddress } = read({ HOST });
		expect(advertisedAddress).toMatch(form);
		expect(advertisedAddress).not.toMatch(/^[0.:]+$/);
	});
});

const PORT_RULE = "must be a port number, 0 to 65535 (0 = any free port)";
const RANGE_RULE = "must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000";
const WEBHOOKS_RULE = "must be at most 10 http or https URLs without a password, with commas between";
const URL_RULE = "must be the server's URL, such as wss://example.livekit.cloud or http://127.0.0.1:7880";

describe("a bad value is one line with name, value and what is allowed", () => {
	test.each<[name: string, value: string, rest: string]>([
		["HOST", "localhost", "must be an IP address of this machine, or 0.0.0.0 for all"],
		["HOST", "127.0.0.1:80", "must be an IP address of this machine, or 0.0.0.0 for all"],
		["HOST", "[::1]", "must be an IP address of this machine, or 0.0.0.0 for all"],
		["ADVERTISED_ADDRESS", "example.com", "must be an IP address that others reach this machine at"],
		["ADVERTISED_ADDRESS", "0.0.0.0", "must be an IP address that others reach this machine at, not the wildcard"],
		["ADVERTISED_ADDRESS", "::1", "must be an IPv4 address, as HOST=127.0.0.1 is"],
		["PORT", "65536", PORT_RULE],
		["PORT", "-1", PORT_RULE],
		["PORT", "1e3", PORT_RULE],
		["PORT", "0x10", PORT_RULE],
		["PORT", "http", PORT_RULE],
		["SIP_PORT", "5060.5", PORT_RULE],
		["SIP_PORT", "123456", PORT_RULE],
		["RTP_PORT_RANGE", "10000", RANGE_RULE],
		["RTP_PORT_RANGE", "10000-10000", RANGE_RULE],
		["RTP_PORT_RANGE", "20000-10000", RANGE_RULE],
		["RTP_PORT_RANGE", "1000-2000", RANGE_RULE],
		["RTP_PORT_RANGE", "60000-70000", RANGE_RULE],
		["RTP_PORT_RANGE", "10000:20000", RANGE_RULE],
		["LIVEKIT_URL", "example.livekit.cloud", URL_RULE],
		["LIVEKIT_URL", "ftp://example.com", URL_RULE],
		["LIVEKIT_URL", "ws://", URL_RULE],
		["LIVEKIT_URL", "http:127.0.0.1", URL_RULE],
		["LIVEKIT_URL", "ws://example.com/?a=b", URL_RULE],
		["ROOM_WEBHOOK_URLS", "example.com/hook", WEBHOOKS_RULE],
		["ROOM_WEBHOOK_URLS", "https://example.com,ftp://example.com", WEBHOOKS_RULE],
		["ROOM_WEBHOOK_URLS", "https://me:word@example.com", WEBHOOKS_RULE],
		["LOG_LEVEL", "verbose", "must be silent, error, warn, info or debug"],
		["STRICT_DISPATCH", "yes", "must be true or false"],
		["MAX_CALLS", "0", "must be a number from 1 to 99999"],
		["MAX_CALLS", "many", "must be a number from 1 to 99999"],
	])("%s=%s", (name, value, rest) => {
		expect(problem({ [name]: value })).toBe(`${name}=${value}: ${rest}`);
	});

	test("white space, line ends and length stay in one line", () => {
		expect(problem({ PORT: "78\n80" })).toBe(`PORT="78\\n80": ${PORT_RULE}`);
		expect(problem({ PORT: " 7880" })).toBe(`PORT=" 7880": ${PORT_RULE}`);
		expect(problem({ HOST: "x".repeat(10_000) }).length).toBeLessThan(200);
	});

	test("HOST=:: is IPv6 alone", () => {
		expect(problem({ HOST: "::", ADVERTISED_ADDRESS: "192.0.2.7" })).toBe(
			"ADVERTISED_ADDRESS=192.0.2.7: must be an IPv6 address, as HOST=:: is",
		);
	});

	test("webhooks of rooms", () => {
		const urls = ["https://example.com/hook", "http://127.0.0.1:3000/"];
		expect(read({ ROOM_WEBHOOK_URLS: urls.join(", ") }).roomWebhookUrls).toEqual(urls);
		expect(problem({ ROOM_WEBHOOK_URLS: "http://127.0.0.1:3000", LIVEKIT_URL: "ws://sfu:7880", ...access })).toBe(
			"ROOM_WEBHOOK_URLS must not be set with LIVEKIT_URL: webhooks of rooms are a setting (webhook.urls) of the server at ws://sfu:7880",
		);
	});

	test("more calls than ports", () => {
		expect(problem({ RTP_PORT_RANGE: "10000-10010", MAX_CALLS: "7" })).toBe(
			"RTP_PORT_RANGE=10000-10010: has even ports for 6 calls, fewer than MAX_CALLS=7; make it larger",
		);
	});

	test.each<[Record<string, string>, string]>([
		[
			{ LIVEKIT_URL: "ws://sfu:7880" },
			"LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set, because LIVEKIT_URL is: the key and secret of the server at ws://sfu:7880",
		],
		[
			{ LIVEKIT_URL: "ws://sfu:7880", LIVEKIT_API_KEY: "key" },
			"LIVEKIT_API_SECRET must be set, because LIVEKIT_URL is: the key and secret of the server at ws://sfu:7880",
		],
		[{ LIVEKIT_API_KEY: "key" }, "LIVEKIT_API_SECRET must be set, because its other half is; or neither, for devkey and secret"],
		[{ LIVEKIT_API_SECRET: "s3cret" }, "LIVEKIT_API_KEY must be set, because its other half is; or neither, for devkey and secret"],
	])("half an access: %o", (env, line) => {
		expect(problem(env)).toBe(line);
		expect(problem(env)).not.toContain("s3cret");
	});
});

describe("the admin secret", () => {
	test("makes projects possible", () => {
		expect(read({})).not.toHaveProperty("adminSecret");
		expect(read({ TRUNKLINE_ADMIN_SECRET: "0123456789abcdef" }).adminSecret).toBe("0123456789abcdef");
	});
	test("one that is easily guessed is refused, and not shown", () => {
		expect(problem({ TRUNKLINE_ADMIN_SECRET: "hunter2" })).toBe("TRUNKLINE_ADMIN_SECRET=…: must have at least 16 characters");
	});
});

test("HOLD_MUSIC is a file, seen from where the start is typed", () => {
	expect(read({})).not.toHaveProperty("holdMusic");
	expect(readConfig({ HOLD_MUSIC: "music/wait.wav" }, "/srv").holdMusic).toBe(join("/srv", "music/wait.wav"));
});
