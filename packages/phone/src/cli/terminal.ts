/** Where the command's words go: results to standard output, mistakes to standard error. */
export function say(line: string): void {
	process.stdout.write(`${line}\n`);
}

export function complain(line: string): void {
	process.stderr.write(`phone: ${line}\n`);
}

/** Whether a person sits there and can press keys. */
export function isInteractive(): boolean {
	return process.stdin.isTTY;
}

/** Calls `onKey` for each key until the returned function is called; does nothing without a terminal. */
export function listenToKeys(onKey: (key: string) => void): () => void {
	if (!isInteractive()) return () => {};
	const onData = (text: string): void => {
		for (const key of text) onKey(key);
	};
	process.stdin.setRawMode(true);
	process.stdin.setEncoding("utf8");
	process.stdin.on("data", onData);
	process.stdin.resume();
	return () => {
		process.stdin.off("data", onData);
		process.stdin.setRawMode(false);
		process.stdin.pause();
	};
}

/** Keys that end a call; Ctrl-C comes as a character while keys are listened to. */
export function isQuit(key: string): boolean {
	return key === "q" || key === "Q" || key === "\u0003";
}

/** Resolves with the first SIGINT, SIGTERM or SIGHUP. */
export function stopSignal(): { stopped: Promise<void>; stop: () => void; dispose: () => void } {
	let stop = (): void => {};
	const stopped = new Promise<void>((resolve) => {
		stop = resolve;
	});
	const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
	for (const signal of signals) process.on(signal, stop);
	return {
		stopped,
		stop,
		dispose: () => {
			for (const signal of signals) process.off(signal, stop);
		},
	};
}
