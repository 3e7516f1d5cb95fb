import { isIP, type Socket } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { Address } from "@trunkline/sip";
import type { Accept, StreamListener, StreamSocket, StreamSocketEvents } from "./stream-socket.ts";
import { bindSocket, listen, remoteOf, streamSocket } from "./tcp.ts";
import type { TlsCertificates } from "./tls-files.ts";
import { checkSipIdentity } from "./tls-identity.ts";

/** RFC 8996 deprecates what was before. */
const MIN_VERSION = "TLSv1.2";
const HANDSHAKE_MS = 10_000;

/** Connects and verifies the certificate against the trunk's name, or the address where there is none. */
export function dialTls(to: Address, events: StreamSocketEvents, certificates: TlsCertificates): StreamSocket {
	const name = to.tls?.serverName ?? to.host;
	let socket: StreamSocket | undefined;
	let over = false;
	const fail = (reason: string): void => {
		if (over) return;
		over = true;
		events.onClose(`TLS with ${name}: ${reason}`);
	};
	const start = (client: { cert: string; key: string } | undefined): void => {
		if (over) return;
		const connection = connect({
			host: to.host,
			port: to.port,
			// RFC 6066 §3: SNI has names only.
			...(isIP(name) === 0 ? { servername: name } : {}),
			minVersion: to.tls?.minVersion ?? MIN_VERSION,
			ca: certificates.authorities,
			checkServerIdentity: (_, certificate) => checkSipIdentity(name, certificate),
			...client,
		});
		connection.setKeepAlive(true, 60_000);
		connection.setNoDelay(true);
		connection.once("secureConnect", () => events.onOpen());
		socket = bindSocket(connection, { ...events, onClose: fail });
	};
	const wanted = to.tls?.clientCertificate;
	if (wanted === undefined) start(undefined);
	else certificates.client(wanted).then(start, (error: unknown) => fail(error instanceof Error ? error.message : String(error)));
	return {
		write: (bytes) => socket?.write(bytes),
		get queuedBytes() {
			return socket?.queuedBytes ?? 0;
		},
		destroy: () => {
			over = true;
			socket?.destroy();
		},
	};
}

/** Rejects with the system's error when the port cannot be had. `certificates.server` must be there. */
export async function listenTls(host: string, port: number, accept: Accept, certificates: TlsCertificates): Promise<StreamListener> {
	const { server: context } = certificates;
	if (context === undefined) throw new Error("a TLS listener without a certificate");
	const mutual = context.ca !== undefined;
	const server = createServer({
		...context,
		minVersion: MIN_VERSION,
		handshakeTimeout: HANDSHAKE_MS,
		requestCert: mutual,
		rejectUnauthorized: mutual,
	});
	certificates.onServerChange((renewed) => server.setSecureContext({ ...renewed, minVersion: MIN_VERSION }));
	/** handshakes under way by the peer's address and port: Node tells of the encrypted socket and of the one below it apart */
	const handshakes = new Map<string, { events: StreamSocketEvents; secured(socket: TLSSocket): void }>();
	server.on("connection", (socket: Socket) => {
		// Before the handshake: one that never ends counts as a connection, and is ended like one.
		const { stream, secured } = deferredSocket(socket);
		const events = accept(remoteOf(socket, "TLS"), stream);
		if (events === undefined) {
			socket.destroy();
			return;
		}
		const name = nameOf(socket);
		handshakes.set(name, { events, secured });
		socket.once("close", () => {
			if (handshakes.delete(name)) events.onClose("no TLS handshake");
		});
	});
	server.on("secureConnection", (socket) => {
		const handshake = handshakes.get(nameOf(socket));
		if (handshake === undefined) {
			socket.destroy();
			return;
		}
		handshakes.delete(nameOf(socket));
		handshake.secured(socket);
		bindSocket(socket, handshake.events);
		handshake.events.onOpen();
	});
	return listen(server, host, port);
}

const nameOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

/** Stands for the socket below until the handshake is done, then for the encrypted one. */
function deferredSocket(raw: Socket): { stream: StreamSocket; secured(socket: TLSSocket): void } {
	let current = streamSocket(raw);
	return {
		stream: {
			write: (bytes) => current.write(bytes),
			get queuedBytes() {
				return current.queuedBytes;
			},
			destroy: () => current.destroy(),
		},
		secured: (socket) => {
			current = streamSocket(socket);
		},
	};
}
