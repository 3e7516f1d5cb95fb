import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type DtlsCertificate, newCertificate, processCertificate } from "@trunkline/dtls";
import { RoomServer } from "@trunkline/room-server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type RTCCertificate, RTCPeerConnection } from "werift";
import type { RoomEvent } from "../call/ports.ts";
import { LiveKitRoomConnector } from "./livekit-room-connector.ts";
import { RoomPeer } from "./peer.ts";
import { joinToken } from "./token.ts";

const REFUSAL = "the room server could not be authenticated: the peer of the DTLS handshake is not who its SDP says:";

/**
 * Somebody on the path has all that is public of the server: its signalling, as far as it can be relayed, its certificate and the fingerprint. Here the
 * embedded server itself becomes that somebody by losing its key.
 */
describe("a room server that is not who its SDP says is not joined", () => {
	let server: RoomServer;
	let http: Server;
	let url = "";
	let own: DtlsCertificate;
	let mallory: DtlsCertificate;
	let genuine: DtlsCertificate;
	beforeAll(async () => {
		[own, mallory] = await Promise.all([processCertificate(), newCertificate()]);
		genuine = { ...own };
		server = new RoomServer({ apiKeys: { devkey: "secret" } });
		http = createServer();
		http.on("upgrade", (request, socket, head) => server.handleUpgrade(request, socket, head));
		await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
		url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
	});
	afterEach(() => {
		Object.assign(own, genuine);
	});
	afterAll(async () => {
		await server.close();
		http.closeAllConnections();
		await new Promise((resolve) => http.close(resolve));
	});

	const events: RoomEvent[] = [];
	async function join() {
		events.length = 0;
		const token = await joinToken({
			apiKey: "devkey",
			apiSecret: "secret",
			room: "authentication",
			identity: "a",
			name: "",
			metadata: "",
			attributes: {},
		});
		return new LiveKitRoomConnector({ path: "single" }).join({
			url,
			token,
			publishCodecs: ["PCMU"],
			trackName: "t",
			onEvent: (event) => events.push(event),
		});
	}

	it("the announced certificate without its key", async () => {
		// the server opens its own sockets with its first participants
		for (let i = 0; i < 4; i++) await (await join()).close();
		const before = sockets();
		Object.assign(own, { privateKey: mallory.privateKey });
		await expect(join()).rejects.toMatchObject({
			name: "RoomJoinError",
			message: `${REFUSAL} its signature of the key exchange is wrong`,
		});
		expect(events).toEqual([]);
		await expect.poll(sockets).toBeLessThanOrEqual(before);
	});

	it("another certificate than announced", async () => {
		Object.assign(own, { fingerprint: mallory.fingerprint });
		await expect(join()).rejects.toMatchObject({
			name: "RoomJoinError",
			message: `${REFUSAL} its certificate is not the one that the SDP announced`,
		});
	});

	it("the genuine one, after them", async () => {
		const session = await join();
		expect(session.uplink.codec).toBe("PCMU");
		await session.close();
	});
});

/** The server's offers come on a connection of their own on the older path, and there we are the DTLS server. */
describe("a peer that offers", () => {
	const peers: { close(): Promise<void> }[] = [];
	afterEach(() => Promise.all(peers.splice(0).map((peer) => peer.close())));

	async function connect(certificateOf: (own: RTCCertificate) => Promise<RTCCertificate>) {
		const failures: string[] = [];
		const heard: string[] = [];
		const peer = new RoomPeer(["PCMU"], "ws://127.0.0.1:1", {
			rtp: () => undefined,
			rtcp: () => undefined,
			data: (bytes) => heard.push(Buffer.from(bytes).toString()),
			stalled: () => undefined,
			candidate: () => undefined,
			failed: (message) => failures.push(message),
		});
		const server = new RTCPeerConnection({ iceServers: [], iceUseIpv6: false, iceAdditionalHostAddresses: ["127.0.0.1"] });
		peers.push(peer, server);
		const channel = server.createDataChannel("_reliable");
		channel.stateChange.subscribe((state) => state === "open" && channel.send(Buffer.from("hello")));
		for (const transport of server.dtlsTransports) {
			Object.assign(transport.iceTransport.connection, { stunServer: undefined });
		}
		await server.setLocalDescription(await server.createOffer());
		for (const transport of server.dtlsTransports) {
			if (transport.localCertificate === undefined) throw new Error("an offer without a certificate");
			transport.localCertificate = await certificateOf(transport.localCertificate);
		}
		await server.setRemoteDescription({ type: "answer", sdp: await peer.answer(server.localDescription?.sdp ?? "") });
		return { peer, failures, heard };
	}

	it("is heard when it has the key of its certificate", async () => {
		const { peer, failures, heard } = await connect((own) => Promise.resolve(own));
		await peer.connected;
		await expect.poll(() => heard).toEqual(["hello"]);
		expect(failures).toEqual([]);
	});

	it("is not heard without it", async () => {
		const { peer, failures, heard } = await connect(async (own) => {
			const privateKey = (await newCertificate()).privateKey.export({ format: "pem", type: "pkcs8" }).toString();
			return Object.assign(Object.create(Object.getPrototypeOf(own)) as RTCCertificate, own, { privateKey });
		});
		await expect(peer.connected).rejects.toThrow(`${REFUSAL} its signature of the handshake is wrong`);
		expect(failures).toEqual([`${REFUSAL} its signature of the handshake is wrong`]);
		expect(peer.isConnected).toBe(false);
		expect(heard).toEqual([]);
	});
});

function sockets(): number {
	return process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
}
