import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import chromiumPackage from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

/** Debian's, where the one from npm (x64, glibc) cannot start. */
const SYSTEM_BROWSERS = ["/usr/bin/chromium", "/usr/bin/google-chrome"];
const FLAGS = [
	"--no-sandbox",
	"--headless=new",
	"--use-fake-ui-for-media-stream",
	"--use-fake-device-for-media-stream",
	"--autoplay-policy=no-user-gesture-required",
	// Candidates with mDNS names would have to be looked up in the network.
	"--disable-features=WebRtcHideLocalIpsWithMdns,OptimizationHints,MediaRouter",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--no-first-run",
	// Nothing but this machine can be reached, whatever a page asks for.
	"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/** Starts the browser; undefined, and a line that says so, where none can start. */
export async function launchChromium(): Promise<Browser | undefined> {
	const tried: string[] = [];
	for (const path of [process.env["CHROMIUM"], await packaged(), ...SYSTEM_BROWSERS]) {
		if (path === undefined || !existsSync(path)) continue;
		try {
			return await chromium.launch({ executablePath: path, headless: true, args: FLAGS });
		} catch (error) {
			tried.push(`${path}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
		}
	}
	process.stderr.write(
		`\nSkipped: tests in a browser. No Chromium starts here (${tried.join("; ") || "none found"}); Debian's package "chromium" is one.\n`,
	);
	return undefined;
}

async function packaged(): Promise<string | undefined> {
	try {
		return await chromiumPackage.executablePath();
	} catch {
		return undefined;
	}
}

/** An empty page on a loopback port with LiveKit's own browser client at /livekit-client.mjs; a secure context, so it has a microphone. */
export class PageServer {
	readonly url: string;
	readonly #server: Server;

	static async listen(): Promise<PageServer> {
		const client = await readFile(fileURLToPath(import.meta.resolve("livekit-client")));
		const server = createServer((request, response) => {
			const script = request.url === "/livekit-client.mjs";
			response.setHeader("content-type", script ? "text/javascript" : "text/html; charset=utf-8");
			response.end(script ? client : "<!doctype html><title>a page</title>");
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		return new PageServer(server);
	}

	private constructor(server: Server) {
		this.#server = server;
		this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}
