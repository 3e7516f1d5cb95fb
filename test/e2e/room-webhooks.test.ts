import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebhookEvent, WebhookReceiver } from "livekit-server-sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { disposeParticipants } from "./participant.ts";
import { Testbed, until } from "./testbed.ts";

const keys = { LIVEKIT_API_KEY: "mine", LIVEKIT_API_SECRET: "a secret of my own" };
const events: WebhookEvent[] = [];
let server: Server;
let bed: Testbed;

beforeAll(async () => {
	const receiver = new WebhookReceiver(keys.LIVEKIT_API_KEY, keys.LIVEKIT_API_SECRET);
	server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			receiver.receive(Buffer.concat(chunks).toString(), request.headers.authorization).then(
				(event) => {
					events.push(event);
					response.end();
				},
				() => response.writeHead(401).end(),
			);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rooms`;
	// the embedded room server, whatever the other tests run against
	bed = await Testbed.start({ LIVEKIT_URL: "", ...keys, ROOM_WEBHOOK_URLS: url });
});
afterAll(async () => {
	await bed.close();
	server.closeAllConnections();
	server.close();
	await disposeParticipants();
});

it("ROOM_WEBHOOK_URLS hear of a call's room, signed with the key of the API", async () => {
	const { trunkId } = await bed.inbound("+15550777", "hooked");
	expect(trunkId).toMatch(/^ST_/);
	const phone = await bed.phone();
	const call = await phone.call(bed.uri("+15550777"));
	await until(() => events.some(({ event }) => event === "track_published"), "the caller's track");
	call.hangup();
	await until(() => events.some(({ event }) => event === "participant_left"), "the caller's leaving");
	expect(events.map(({ event }) => event)).toEqual([
		"room_started",
		"participant_joined",
		"track_published",
		"track_unpublished",
		"participant_left",
	]);
	expect(new Set(events.map(({ room }) => room?.name))).toEqual(new Set(["hooked"]));
	// ParticipantInfo_Kind.SIP
	expect(events[1]?.participant?.kind).toBe(3);
});
