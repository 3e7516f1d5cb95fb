import { availableParallelism } from "node:os";
import { describe, expect, it, test } from "vitest";
import { readConfig, SettingError } from "./config.ts";

const ENOUGH = {
	AWS_REGION: "eu-central-1",
	PROJECT_ID: "project",
	CONFIG_TABLE: "config",
	CALLS_TABLE: "calls",
	DIAL_QUEUE_URL: "https://sqs.example/1/dial",
	LIVEKIT_URL: "wss://rooms.example",
	LIVEKIT_API_KEY: "key",
	LIVEKIT_API_SECRET: "s3cret-of-livekit",
	SIP_HOST: "192.0.2.10",
};

function problem(changes: Record<string, string | undefined>): string {
	try {
		readConfig({ ...ENOUGH, ...changes });
	} catch (error) {
		if (error instanceof SettingError) return error.message;
		throw error;
	}
	return "";
}

describe("the environment", () => {
	it("defaults", () => {
		expect(readConfig(ENOUGH)).toEqual({
			region: "eu-central-1",
			awsRegion: "eu-central-1",
			projectId: "project",
			builtInProjects: ["project"],
			configTable: "config",
			callsTable: "calls",
			dialQueueUrl: "https://sqs.example/1/dial",
			livekit: { url: "wss://rooms.example", apiKey: "key", apiSecret: "s3cret-of-livekit" },
			sipHost: "192.0.2.10",
			sipPort: 5060,
			sip: { tlsPort: 5061, tls: {}, connections: {} },
			advertisedAddress: "192.0.2.10",
			fleet: { heartbeatMs: 5_000, protectedDrainMs: 7_200_000 },
			rtpPortRange: [10_000, 20_000],
			mediaWorkers: availableParallelism(),
			qualityEveryMs: 30_000,
			roomRecoveryMs: 60_000,
			maxCalls: 500,
			strictDispatch: true,
			unknownSources: "auto",
			logLevel: "info",
			healthPort: 8080,
			drainMs: 90_000,
		});
	});

	it("everything set", () => {
		const config = readConfig({
			...ENOUGH,
			REGION: "local",
			BUILT_IN_PROJECTS: "project, second,",
			PROJECTS_KMS_KEY: "alias/projects",
			DIAL_DEAD_LETTER_URL: "https://sqs.example/1/dead",
			COMMAND_QUEUE_PREFIX: "trunkline-commands-",
			SIP_HOST: "0.0.0.0",
			SIP_PORT: "5070",
			ADVERTISED_ADDRESS: "203.0.113.9",
			RTP_PORT_RANGE: "30000-30999",
			SIP_DNS_SERVERS: "192.0.2.53, [2001:db8::53]:5353",
			MEDIA_WORKERS: "3",
			QUALITY_EVERY_SECONDS: "0",
			MAX_CALLS: "20",
			STRICT_DISPATCH: "false",
			NONCE_SECRET: "n".repeat(32),
			LOG_LEVEL: "warn",
			HEALTH_PORT: "0",
			DRAIN_SECONDS: "0",
		});
		expect(config).toMatchObject({
			region: "local",
			awsRegion: "eu-central-1",
			builtInProjects: ["project", "second"],
			projectsKmsKey: "alias/projects",
			dialDeadLetterUrl: "https://sqs.example/1/dead",
			sipHost: "0.0.0.0",
			sipPort: 5070,
			sip: { dnsServers: ["192.0.2.53", "[2001:db8::53]:5353"], tlsPort: 5061, tls: {}, connections: {} },
			advertisedAddress: "203.0.113.9",
			rtpPortRange: [30_000, 30_999],
			mediaWorkers: 3,
			qualityEveryMs: 0,
			roomRecoveryMs: 60_000,
			maxCalls: 20,
			strictDispatch: false,
			nonceSecret: new Uint8Array(32).fill("n".charCodeAt(0)),
			logLevel: "warn",
			healthPort: 0,
			drainMs: 0,
		});
	});

	test.each<[Record<string, string | undefined>, string]>([
		[{ CONFIG_TABLE: undefined }, "CONFIG_TABLE must be set"],
		[{ CALLS_TABLE: "" }, "CALLS_TABLE must be set"],
		[{ PROJECT_ID: undefined }, "PROJECT_ID must be set"],
		[{ AWS_REGION: undefined }, "AWS_REGION must be set (or REGION, where there is no AWS)"],
		[
			{ COMMAND_QUEUE_PREFIX: "https://x" },
			"COMMAND_QUEUE_PREFIX must be the beginning of a queue's name: up to 60 letters, digits, - and _",
		],
		[{ DIAL_QUEUE_URL: "dial" }, "DIAL_QUEUE_URL must be the queue's URL"],
		[{ LIVEKIT_URL: "ftp://rooms.example" }, "LIVEKIT_URL must be the server's URL, such as wss://rooms.example"],
		[{ LIVEKIT_API_SECRET: undefined }, "LIVEKIT_API_SECRET must be set"],
		[{ SIP_HOST: "sip.example" }, "SIP_HOST must be an IP address"],
		[{ SIP_PORT: "70000" }, "SIP_PORT must be a port number, 0 to 65535"],
		[{ SIP_PORT: "udp" }, "SIP_PORT must be a port number, 0 to 65535"],
		[{ RTP_PORT_RANGE: "20000-10000" }, "RTP_PORT_RANGE must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000"],
		[{ RTP_PORT_RANGE: "10000" }, "RTP_PORT_RANGE must be FIRST-LAST, two ports from 1024 to 65535, such as 10000-20000"],
		[{ SIP_DNS_SERVERS: "dns.example" }, "SIP_DNS_SERVERS must be name servers, ip or ip:port, with commas between"],
		[{ MAX_CALLS: "0" }, "MAX_CALLS must be at least 1"],
		[{ MAX_CALLS: "many" }, "MAX_CALLS must be a number from 1 to 99999"],
		[{ STRICT_DISPATCH: "yes" }, "STRICT_DISPATCH must be true or false"],
		[{ LOG_LEVEL: "loud" }, "LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent"],
		[{ TRACES_DIR: import.meta.filename }, "TRACES_DIR must be a folder that can be written to, or a path where one can be made"],
		[
			{ TRACES_DIR: `${import.meta.filename}/traces` },
			"TRACES_DIR must be a folder that can be written to, or a path where one can be made",
		],
		[{ STUN_SERVER: "stun.example:99999" }, "STUN_SERVER must be host or host:port, with a port from 1 to 65535"],
		[{ STUN_SERVER: "stun.example:0" }, "STUN_SERVER must be host or host:port, with a port from 1 to 65535"],
		[{ STUN_SERVER: "a b" }, "STUN_SERVER must be host or host:port, with a port from 1 to 65535"],
		...["[]", "{}", '[{"region":"eu","sipAddress":"sip.eu.example:99999"}]', '[{"region":"eu"},{"region":"eu"}]'].map(
			(PEER_REGIONS): [Record<string, string>, string] => [
				{ PEER_REGIONS },
				'PEER_REGIONS must be regions in JSON, each once, such as [{"region":"eu-west-1","sipAddress":"sip.eu.example.com"}]',
			],
		),
		[{ NONCE_SECRET: "hunter2" }, "NONCE_SECRET must have at least 32 characters"],
	])("%j", (changes, message) => expect(problem(changes)).toBe(message));

	it("no value is repeated, since it may be a secret", () => {
		expect(problem({ NONCE_SECRET: "hunter2", LIVEKIT_URL: "hunter2" })).not.toContain("hunter2");
	});
});
