import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createLogger } from "@trunkline/observability";
import { RoomServer } from "./room-server.ts";

/** The room server alone, for tests and measurements: `PORT` or --port (7880), key devkey, secret "secret"; `ROOM_WEBHOOK_URLS` as for `npm start`. */
const { values } = parseArgs({ options: { port: { type: "string" }, verbose: { type: "boolean" } } });
const port = Number(values.port ?? process.env["PORT"] ?? 7880);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
	process.stderr.write(`${values.port ?? process.env["PORT"]} is no port\n`);
	process.exit(1);
}
const logger = createLogger({ name: "room-server", level: values.verbose === true ? "debug" : "warn" });
const urls = (process.env["ROOM_WEBHOOK_URLS"] ?? "").split(",").filter((url) => url.trim() !== "");
if (!urls.every((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) {
	process.stderr.write("ROOM_WEBHOOK_URLS must be http or https URLs, with commas between\n");
	process.exit(1);
}
const server = new RoomServer({
	apiKeys: { devkey: "secret" },
	log: (message, fields) => logger.info(fields, message),
	webhooks: { urls, apiKey: "devkey" },
});

const http = createServer((request, response) => {
	if (!server.handleHttp(request, response)) response.writeHead(404).end();
});
http.on("upgrade", (request, socket, head) => {
	if (!server.handleUpgrade(request, socket, head)) socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
});
http.on("error", (error) => {
	process.stderr.write(`cannot listen on port ${port}: ${error.message}\n`);
	process.exit(1);
});
http.listen(port, "127.0.0.1", () => process.stdout.write(`room server on ws://127.0.0.1:${port}, key devkey, secret secret\n`));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
	process.once(signal, () => {
		http.close();
		server.close().then(
			() => process.exit(0),
			() => process.exit(1),
		);
	});
}
