import { once } from "node:events";
import { createServer, type IncomingMessage, request as ask } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as DynamoDB gets it. */
export interface TableRequest {
	/** PutItem, UpdateItem, … */
	operation: string;
	body: string;
}

/** What becomes of a request: nothing; it is refused as too much, undone; or it is done, and its answer is lost. */
export type Faults = (request: TableRequest) => "throttled" | "answer-lost" | undefined;

/** DynamoDB as nodes have it on a bad day, before a real one. */
export async function startFaultyTable(endpoint: string, faults: Faults): Promise<{ endpoint: string; close(): Promise<void> }> {
	const { hostname, port } = new URL(endpoint);
	const server = createServer((request, response) => {
		void whole(request).then((body) => {
			const operation = String(request.headers["x-amz-target"]).split(".").at(-1) ?? "";
			const fault = faults({ operation, body: body.toString() });
			if (fault === "throttled") {
				const __type = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
				response.writeHead(400, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify({ __type, message: "too much" }));
				return;
			}
			const { headers, method, url: path } = request;
			const passed = ask({ hostname, port, method, path, headers }, (answer) => {
				if (fault === "answer-lost") {
					answer.resume();
					request.socket.destroy();
				} else answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers));
			});
			passed.on("error", () => request.socket.destroy());
			passed.end(body);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: async () => {
			server.closeAllConnections();
			server.close();
		},
	};
}

async function whole(request: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}
