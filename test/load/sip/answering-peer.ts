/** A process of its own that answers every call: what `set-ups.ts` calls. Ends when its input does. */
import { sdpBody } from "./messages.ts";
import { SocketEndpoint } from "./socket-endpoint.ts";

const callee = await SocketEndpoint.open((event) => {
	if (event.type !== "incoming") return;
	callee.handle({ kind: "ring", leg: event.leg, status: 180 });
	callee.handle({ kind: "accept", leg: event.leg, body: sdpBody });
});
process.stdout.write(`${JSON.stringify({ port: callee.port })}\n`);
process.stdin.on("data", () => {
	const { user, system } = process.cpuUsage();
	process.stdout.write(`${JSON.stringify({ cpuMs: (user + system) / 1000, rssMb: process.memoryUsage.rss() / 1e6 })}\n`);
});
process.stdin.on("end", () => callee.close());
