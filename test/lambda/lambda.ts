import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Answer {
	statusCode: number;
	headers: Record<string, string>;
	body: string;
	isBase64Encoded: boolean;
}

/** A function's bundle in a process as Lambda would have it: nothing of this repository around it, one event at a time. */
export class Lambda {
	initMs = Number.NaN;
	/** what it wrote beside its answers: its log */
	readonly log: string[] = [];
	readonly #child: ChildProcess;
	readonly #lines: AsyncIterator<string>;

	/** Throws what the process wrote when it cannot start. */
	static async start(file: string, environment: Record<string, string>): Promise<Lambda> {
		const lambda = new Lambda(file, environment);
		const { ready, initMs } = await lambda.#next();
		if (ready !== "function") throw new Error(`no handler but ${String(ready)}`);
		lambda.initMs = Number(initMs);
		return lambda;
	}

	private constructor(file: string, env: Record<string, string>) {
		const runtime = join(import.meta.dirname, "runtime.mjs");
		this.#child = spawn(process.execPath, [runtime, file], { cwd: tmpdir(), env, stdio: ["pipe", "pipe", "pipe"] });
		this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.log.push(text));
		if (this.#child.stdout === null) throw new Error("no output");
		this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
	}

	/** What the handler gives. Throws its error. */
	async invoke(event: unknown, remainingMs = 90_000): Promise<unknown> {
		this.#child.stdin?.write(`${JSON.stringify({ event, remainingMs })}\n`);
		const { answer, error } = await this.#next();
		if (error !== undefined) throw new Error(JSON.stringify(error));
		return answer;
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode !== null) return;
		const exited = new Promise((resolve) => this.#child.once("exit", resolve));
		this.#child.stdin?.end();
		await exited;
	}

	async #next(): Promise<Record<string, unknown>> {
		for (;;) {
			const { value, done } = await this.#lines.next();
			if (done === true) throw new Error(`the process ended: ${this.log.join("").slice(-500)}`);
			const line = JSON.parse(value) as Record<string, unknown>;
			if (line["runtime"] === true) return line;
			this.log.push(value);
		}
	}
}

/** An event as a function URL or an API of API Gateway sends it, both payload format 2.0. */
export function httpEvent(
	source: "function-url" | "api-gateway",
	request: { method?: string; path: string; query?: string; headers?: Record<string, string>; body?: Uint8Array | string },
): unknown {
	const { method = "POST", path, query = "", headers = {}, body } = request;
	const recorded = recordedEvent(source) as { headers: object; requestContext: { http: object } };
	const { requestContext } = recorded;
	// Text goes as it is, everything else in base64: so do the two.
	const content =
		typeof body === "string"
			? { body, isBase64Encoded: false }
			: body && { body: Buffer.from(body).toString("base64"), isBase64Encoded: true };
	return {
		...recorded,
		rawPath: path,
		rawQueryString: query,
		headers: { ...recorded.headers, ...headers },
		requestContext: { ...requestContext, http: { ...requestContext.http, method, path } },
		...content,
	};
}

export function recordedEvent(name: string): unknown {
	return JSON.parse(readFileSync(new URL(`events/${name}.json`, import.meta.url), "utf8"));
}

export interface AwsRequest {
	target: string;
	body: Record<string, unknown>;
}

/** An AWS service that speaks JSON: Parameter Store, EventBridge. */
export async function awsService(
	answer: (request: AwsRequest) => object,
): Promise<{ endpoint: string; requests: AwsRequest[]; close(): void }> {
	const requests: AwsRequest[] = [];
	const server = createServer((request, response) => {
		void bodyOf(request).then((text) => {
			const one = { target: String(request.headers["x-amz-target"]), body: JSON.parse(text) as Record<string, unknown> };
			requests.push(one);
			response.writeHead(200, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer(one)));
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const close = (): void => {
		server.closeAllConnections();
		server.close();
	};
	return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
	let text = "";
	for await (const part of request) text += String(part);
	return text;
}
