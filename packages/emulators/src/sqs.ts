import { buildApp } from "fauxqs";
import { listenError } from "./listen.ts";

export interface EmbeddedSqs {
	/** http://127.0.0.1:<port> */
	endpoint: string;
	close(): Promise<void>;
}

/**
 * An SQS on 127.0.0.1, in this process and in memory: a message is only a hint that a call record waits. Throws EmulatorError.
 * fauxqs' own `startFauxqs` would listen on every interface.
 */
export async function startEmbeddedSqs(options: { port?: number } = {}): Promise<EmbeddedSqs> {
	const port = options.port ?? 0;
	const app = buildApp({ logger: false });
	try {
		const endpoint = await app.listen({ port, host: "127.0.0.1" });
		let closed: Promise<void> | undefined;
		const close = async (): Promise<void> => {
			await app.close();
		};
		return { endpoint, close: () => (closed ??= close()) };
	} catch (error) {
		await app.close();
		throw listenError(error, port, "embedded SQS");
	}
}
