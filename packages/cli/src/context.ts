import type { Command } from "commander";
import { environment, serverAccess } from "./config.ts";
import { type Output, output, type Streams } from "./output.ts";
import { Server } from "./server.ts";

/** What a command works with. */
export interface Context {
	server(): Server;
	output: Output;
}

export type MakeContext = (command: Command) => Context;

/** The options that every command has. */
export interface GlobalOptions {
	url?: string;
	json?: boolean;
}

export function contextOf(streams: Streams): MakeContext {
	return (command) => {
		const { url, json = false } = command.optsWithGlobals<GlobalOptions>();
		const out = output(streams, json);
		let server: Server | undefined;
		return {
			// Commands that need no server must not fail for want of one.
			server: () => (server ??= new Server(serverAccess(url, environment()), () => out.progress("waiting for the server"))),
			output: out,
		};
	};
}
