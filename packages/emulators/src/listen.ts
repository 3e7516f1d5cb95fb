import type { Server } from "node:net";
import { EmulatorError } from "./errors.ts";

/** Listens on 127.0.0.1 only: what the emulators hold is for this machine. Gives the port; throws EmulatorError. */
export function listenOnLoopback(server: Server, port: number, what: string): Promise<number> {
	return new Promise((resolve, reject) => {
		server.once("error", (error) => reject(listenError(error, port, what)));
		server.listen(port, "127.0.0.1", () => {
			const address = server.address();
			if (address && typeof address === "object") resolve(address.port);
			else reject(new EmulatorError("start_failed", `The ${what} has no address after listen`));
		});
	});
}

export function listenError(error: unknown, port: number, what: string): EmulatorError {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	if (code === "EADDRINUSE")
		return new EmulatorError("port_in_use", `Port ${port} on 127.0.0.1 (${what}) is in use. Stop what uses it, or choose another port.`, {
			cause: error,
		});
	const reason = error instanceof Error ? error.message : String(error);
	return new EmulatorError("start_failed", `The ${what} cannot listen on 127.0.0.1 port ${port}: ${reason}`, { cause: error });
}
