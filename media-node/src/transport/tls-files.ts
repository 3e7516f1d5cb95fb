import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContextOptions } from "node:tls";
import type { Clock } from "../call/ports.ts";

export interface TlsFiles {
	/** of the listener; unset: nobody can connect by TLS, but we can */
	certFile?: string;
	keyFile?: string;
	/** PEM, in the place of the two files: for a container whose secrets come in its environment */
	pair?: { cert: string; key: string };
	/** certificate authorities of peers we connect to, beside those that everybody trusts */
	caFile?: string;
	/** peers that connect must have a certificate of one of these (mutual TLS) */
	clientCaFile?: string;
	/** `<name>.crt.pem` and `<name>.key.pem`: certificates that we show where a trunk names them */
	clientDir?: string;
}

export interface TlsLog {
	warn(fields: Record<string, unknown>, message: string): void;
	info?(fields: Record<string, unknown>, message: string): void;
}

/** A file of the settings that is not there, or of no use; the message names it. */
export class TlsFileError extends Error {
	override readonly name = "TlsFileError";
}

/** How often the files are looked at: what replaces certificates (a symbolic link, a mounted secret) is not always seen by a watch. */
const POLL_MS = 5_000;
/** a name, or a project's id and a name */
const NAME = /^(?:[\w-]{1,64}\/)?[\w-]{1,64}$/;

/** The certificates of a node, as they are on disk now: renewed ones are taken without a restart, for connections from then on. */
export class TlsCertificates {
	readonly #files: TlsFiles;
	readonly #clock: Clock;
	readonly #log: TlsLog;
	#server: SecureContextOptions | undefined;
	#authorities: string[] | undefined;
	#clients = new Map<string, { stamp: string; cert: string; key: string }>();
	#stamp = "";
	readonly #onServer: ((options: SecureContextOptions) => void)[] = [];
	#cancelPoll: (() => void) | undefined;
	#closed = false;

	/** Rejects with an error that names the file when one cannot be read, or when certificate and key do not fit. */
	static async load(files: TlsFiles, clock: Clock, log: TlsLog): Promise<TlsCertificates> {
		const certificates = new TlsCertificates(files, clock, log);
		certificates.#stamp = await certificates.#stampOf();
		await certificates.#read();
		certificates.#poll();
		return certificates;
	}

	private constructor(files: TlsFiles, clock: Clock, log: TlsLog) {
		this.#files = files;
		this.#clock = clock;
		this.#log = log;
	}

	/** Of the listener; undefined when there is none. */
	get server(): SecureContextOptions | undefined {
		return this.#server;
	}

	/** Whose certificates count of peers that we connect to. */
	get authorities(): string[] {
		this.#authorities ??= getCACertificates("default");
		return this.#authorities;
	}

	/** Called when the listener's files have changed. */
	onServerChange(listener: (options: SecureContextOptions) => void): void {
		this.#onServer.push(listener);
	}

	/** The certificate that a trunk names. Rejects with a reason in words. */
	async client(name: string): Promise<{ cert: string; key: string }> {
		const { clientDir } = this.#files;
		// The name comes from a trunk: it must not lead to other files.
		if (clientDir === undefined || !NAME.test(name)) throw new Error(`this node has no client certificate "${name}"`);
		const [certFile, keyFile] = [join(clientDir, `${name}.crt.pem`), join(clientDir, `${name}.key.pem`)];
		const stamp = `${await stampOfFile(certFile)} ${await stampOfFile(keyFile)}`;
		const known = this.#clients.get(name);
		if (known?.stamp === stamp) return known;
		try {
			const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
			createSecureContext({ cert, key });
			this.#clients.set(name, { stamp, cert, key });
			return { cert, key };
		} catch (error) {
			throw new Error(`the client certificate "${name}" cannot be used: ${(error as Error).message}`, { cause: error });
		}
	}

	close(): void {
		this.#closed = true;
		this.#cancelPoll?.();
	}

	/** Looks at the files now; for a process that is told to, and for tests. */
	async refresh(): Promise<void> {
		const stamp = await this.#stampOf();
		if (stamp === this.#stamp || this.#closed) return;
		try {
			await this.#read();
			this.#stamp = stamp;
		} catch (error) {
			// Half a renewal, as when the key is there before its certificate: what was good stays, and the next look may be better.
			this.#log.warn({ err: error }, "the renewed TLS files cannot be used yet");
			return;
		}
		if (this.#server !== undefined) for (const renew of this.#onServer) renew(this.#server);
		this.#log.info?.({}, "TLS files were read again");
	}

	async #read(): Promise<void> {
		const { certFile, keyFile, pair, caFile, clientCaFile } = this.#files;
		const ca = caFile === undefined ? undefined : await readPem(caFile);
		const server = certFile === undefined || keyFile === undefined ? pair : { cert: await readPem(certFile), key: await readPem(keyFile) };
		const clientCa = clientCaFile === undefined ? undefined : await readPem(clientCaFile);
		if (server !== undefined) checkPair(server, certFile ?? "the settings");
		this.#server = server && { ...server, ...(clientCa === undefined ? {} : { ca: clientCa }) };
		this.#authorities = [...getCACertificates("default"), ...(ca === undefined ? [] : [ca])];
	}

	async #stampOf(): Promise<string> {
		const { certFile, keyFile, caFile, clientCaFile } = this.#files;
		const stamps = await Promise.all([certFile, keyFile, caFile, clientCaFile].map((file) => stampOfFile(file)));
		return stamps.join(" ");
	}

	#poll(): void {
		if (this.#closed) return;
		this.#cancelPoll = this.#clock.wakeAt(this.#clock.now() + POLL_MS, () => {
			void this.refresh().finally(() => this.#poll());
		});
	}
}

async function readPem(file: string): Promise<string> {
	try {
		return await readFile(file, "utf8");
	} catch (error) {
		throw new TlsFileError(`the file ${file} cannot be read: ${(error as Error).message}`, { cause: error });
	}
}

function checkPair(pair: { cert: string; key: string }, certFile: string): void {
	try {
		createSecureContext(pair);
	} catch (error) {
		throw new TlsFileError(`the certificate in ${certFile} and its key cannot be used: ${(error as Error).message}`, { cause: error });
	}
}

async function stampOfFile(file: string | undefined): Promise<string> {
	if (file === undefined) return "";
	try {
		const { mtimeMs, size, ino } = await stat(file);
		return `${mtimeMs}/${size}/${ino}`;
	} catch {
		return "none";
	}
}
