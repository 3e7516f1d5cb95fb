import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const WITHIN_MS = 1_000;

/** Does a UDP packet from this machine to its advertised address come back to it? False proves nothing: most NATs do not turn packets round. */
export async function reachesItself(advertised: string, bindHost: string): Promise<boolean> {
	const socket = createSocket(advertised.includes(":") ? "udp6" : "udp4");
	const token = randomBytes(16);
	try {
		return await new Promise<boolean>((resolve) => {
			const timer = setTimeout(() => resolve(false), WITHIN_MS);
			const done = (reached: boolean): void => {
				clearTimeout(timer);
				resolve(reached);
			};
			socket.on("error", () => done(false));
			socket.on("message", (message) => message.equals(token) && done(true));
			socket.bind(0, bindHost, () => socket.send(token, socket.address().port, advertised, (error) => error && done(false)));
		});
	} finally {
		socket.close();
	}
}
