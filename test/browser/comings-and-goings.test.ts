import { AccessToken, TrackSource } from "livekit-server-sdk";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type RunningServer, startServer } from "../../packages/room-server/src/testing/harness.ts";
import { until } from "../e2e/testbed.ts";
import { launchChromium, PageServer } from "./chromium.ts";
import { type Joining, RoomPage } from "./room-page.ts";

const browser: Browser | undefined = await launchChromium();
let running: RunningServer;
let server: PageServer;
const pages: RoomPage[] = [];

beforeAll(async () => {
	running = await startServer();
	server = await PageServer.listen();
});
afterEach(async () => {
	vi.useRealTimers();
	for (const page of pages.splice(0)) await page.leave();
});
afterAll(async () => {
	await browser?.close();
	await server.close();
	await running.close();
});

const KEYS = { apiKey: "devkey", apiSecret: "secret" };
const MINUTE_MS = 60_000;
const all = { canPublish: true, canSubscribe: true, canPublishData: true };

describe.skipIf(browser === undefined).each([
	["one connection", true],
	["two connections", false],
])("who may do what, who comes and who goes, on %s", (name, singlePeerConnection) => {
	async function join(room: string, identity: string, joining: Joining = {}): Promise<RoomPage> {
		const access = { url: running.httpUrl, ...KEYS };
		const page = await RoomPage.join(browser as Browser, server, access, `${room}, ${name}`, identity, {
			singlePeerConnection,
			...joining,
		});
		pages.push(page);
		return page;
	}
	/** the tone that is heard of somebody, to 10 Hz; waits for it */
	const hears = (page: RoomPage, of: string, hz: number): Promise<void> =>
		until(
			async () => (await page.hears()).includes(of) && Math.abs((await page.strongest(of)).hz - hz) < 10,
			`${hz} Hz of ${of} to be heard`,
		);
	/** what publishing comes to: the error's message, or nothing */
	const refusal = (page: RoomPage, hz: number): Promise<string> =>
		page.speak(hz).then(
			() => "",
			(error: Error) => error.message,
		);

	it("who publishes says who may subscribe, and is obeyed at once", async () => {
		const [anna, bert] = [await join("subscribers", "anna"), await join("subscribers", "bert")];
		await anna.speak(700);
		await hears(bert, "anna", 700);
		await anna.run((room) => room.localParticipant.setTrackSubscriptionPermissions(false));
		await bert.told("trackUnsubscribed anna microphone");
		const carl = await join("subscribers", "carl");
		await anna.run((room) =>
			room.localParticipant.setTrackSubscriptionPermissions(false, [{ participantIdentity: "carl", allowAll: true }]),
		);
		await hears(carl, "anna", 700);
		expect((await bert.state()).events.filter((event) => event === "trackSubscribed anna microphone")).toHaveLength(1);
		await anna.run((room) => room.localParticipant.setTrackSubscriptionPermissions(true));
		await bert.told("trackSubscribed anna microphone", 2);
		await hears(bert, "anna", 700);
	});

	it("a permission that is taken ends what was published at once, and one that is given lets it begin", async () => {
		const [anna, bert] = [await join("permissions", "anna"), await join("permissions", "bert")];
		await anna.speak(700);
		await anna.show([230, 20, 20]);
		await hears(bert, "anna", 700);
		await bert.told("trackSubscribed anna camera");
		const room = `permissions, ${name}`;
		await running.rooms.updateParticipant(room, "anna", { permission: { ...all, canPublish: false } });
		await anna.told("permissions anna publish false");
		await bert.told("trackUnpublished anna microphone");
		await bert.told("trackUnpublished anna camera");
		await anna.told("localTrackUnpublished microphone");
		await anna.told("localTrackUnpublished camera");
		expect((await running.rooms.getParticipant(room, "anna")).tracks).toEqual([]);
		expect(await refusal(anna, 800)).toMatch(/insufficient permissions/);

		await running.rooms.updateParticipant(room, "anna", { permission: all });
		await anna.told("permissions anna publish true");
		await anna.speak(900);
		await hears(bert, "anna", 900);

		await running.rooms.updateParticipant(room, "bert", { permission: { ...all, canSubscribe: false } });
		await bert.told("trackUnsubscribed anna microphone", 2);
		await running.rooms.updateParticipant(room, "bert", { permission: { ...all, canPublishData: false } });
		await bert.told("trackSubscribed anna microphone", 3);
		await hears(bert, "anna", 900);
		const sent = (page: RoomPage): Promise<string> =>
			page.run((room) =>
				room.localParticipant.publishData(new Uint8Array([65]), { reliable: true }).then(
					() => "sent",
					(error: Error) => error.message,
				),
			);
		expect([await sent(bert), await sent(anna)]).toEqual(["sent", "sent"]);
		await until(async () => (await bert.state()).data.length === 1, "bert to have anna's packet");
		expect((await anna.state()).data).toEqual([]);
	});

	it("a token's grants: no publishing, one source alone, no subscribing, only what is chosen", async () => {
		const anna = await join("grants", "anna", { grant: { canPublishSources: [TrackSource.CAMERA] } });
		const bert = await join("grants", "bert", { grant: { canPublish: false } });
		const carla = await join("grants", "carla", { grant: { canSubscribe: false } });
		const dora = await join("grants", "dora", { autoSubscribe: false });
		expect(await refusal(anna, 700)).toMatch(/insufficient permissions/);
		expect(await refusal(bert, 700)).toMatch(/insufficient permissions/);
		await anna.show([20, 20, 230]);
		await carla.speak(1_100);
		await hears(bert, "carla", 1_100);
		await bert.told("trackSubscribed anna camera");
		for (const page of [carla, dora]) {
			const told = await page.told("trackPublished anna camera");
			expect(told.filter((event) => event.startsWith("trackSubscribed"))).toEqual([]);
		}
		await dora.run((room) => room.remoteParticipants.get("carla")?.trackPublications.forEach((one) => one.setSubscribed(true)));
		await hears(dora, "carla", 1_100);
		await dora.run((room) => room.remoteParticipants.get("carla")?.trackPublications.forEach((one) => one.setSubscribed(false)));
		const told = await dora.told("trackUnsubscribed carla microphone");
		expect(told).not.toContain("trackSubscribed anna camera");
	});

	it("a page that is loaded again leaves and comes back as somebody new, and is heard", async () => {
		const [anna, bert] = [await join("reload", "anna"), await join("reload", "bert")];
		const before = await bert.run((room) => room.remoteParticipants.get("anna")?.sid);
		await anna.speak(700);
		await hears(bert, "anna", 700);
		await anna.reload();
		await bert.told("participantDisconnected anna");
		await bert.told("participantConnected anna");
		await anna.speak(900);
		await hears(bert, "anna", 900);
		const after = await bert.run((room) => room.remoteParticipants.get("anna")?.sid);
		expect(after).toMatch(/^PA_/);
		expect(after).not.toBe(before);
		expect((await running.rooms.listParticipants(`reload, ${name}`)).map(({ identity }) => identity).sort()).toEqual(["anna", "bert"]);
	});

	it("who is put out is told why: removed, the same identity again, the room deleted", async () => {
		const room = `out, ${name}`;
		const [anna, bert, carla] = [await join("out", "anna"), await join("out", "bert"), await join("out", "carla")];
		await running.rooms.removeParticipant(room, "anna");
		await anna.told("disconnected PARTICIPANT_REMOVED");
		await carla.told("participantDisconnected anna");
		const other = await join("out", "bert");
		await bert.told("disconnected DUPLICATE_IDENTITY");
		await running.rooms.deleteRoom(room);
		await other.told("disconnected ROOM_DELETED");
		await carla.told("disconnected ROOM_DELETED");
		expect(await running.rooms.listRooms([room])).toEqual([]);
	});

	it("a token that is over lets nobody in, and says so; who is in already comes back with the token that the server gave", async () => {
		const room = `expiry, ${name}`;
		const [anna, bert] = [await join("expiry", "anna", { ttlSeconds: 60 }), await join("expiry", "bert")];
		await anna.speak(700);
		await hears(bert, "anna", 700);
		// the first token has been over for minutes
		vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5 * MINUTE_MS });
		await anna.cut();
		await anna.told("reconnected");
		await hears(bert, "anna", 700);
		expect((await bert.state()).left).toEqual([]);

		const old = new AccessToken(KEYS.apiKey, KEYS.apiSecret, { identity: "late", ttl: 1 });
		old.addGrant({ roomJoin: true, room });
		const jwt = await old.toJwt();
		vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * MINUTE_MS });
		const late = await bert.page.evaluate(([url, token]) => globalThis.trunkline.refused(url, token), [running.url, jwt] as const);
		expect(late).toEqual({ reason: "NotAllowed", status: 401, message: expect.stringContaining("token is expired") });
	});
});
