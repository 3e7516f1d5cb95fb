// What Lambda does with a bundle: loads it in a bare Node process, then calls its handler with one event after the other.
// Prints a line of JSON for the start and for each answer. Beside its bundle, which is its argument, it knows nothing of this repository.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const say = (line) => process.stdout.write(`${JSON.stringify({ runtime: true, ...line })}\n`);
const [began, cpu] = [performance.now(), process.cpuUsage()];
const { handler } = await import(pathToFileURL(process.argv[2]).href);
const { user, system } = process.cpuUsage(cpu);
say({ ready: typeof handler, initMs: performance.now() - began, cpuMs: (user + system) / 1_000 });

for await (const line of createInterface({ input: process.stdin })) {
	const { event, remainingMs } = JSON.parse(line);
	const until = performance.now() + remainingMs;
	const context = {
		awsRequestId: "request",
		functionName: "function",
		getRemainingTimeInMillis: () => Math.max(0, until - performance.now()),
	};
	try {
		say({ answer: (await handler(event, context)) ?? null });
	} catch (error) {
		say({ error: String(error) });
	}
}
// As Lambda, which freezes the process: what is still under way (keep-alive connections, timers) does not keep it.
process.exit(0);
