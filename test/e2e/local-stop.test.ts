import { afterEach, describe, expect, it } from "vitest";
import { clear, expectUdpFree, freePorts, launch, Program, ROOT, serving, start, temporaryDirectory, twoCalls } from "./local-process.ts";
import { until } from "./testbed.ts";

afterEach(clear);

/** "within 5 s" is the promise; what comes on top is the shell's and a loaded machine's. */
const PROMISED_MS = 5_000;

describe("stopping with live calls", () => {
	it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s: telephones get BYE, exit code 0, ports free", async (signal) => {
		const program = await start();
		const calls = await twoCalls(program);
		program.kill(signal);
		for (const call of calls) expect(await call.ended()).toMatchObject({ answered: true, by: "remote", cause: "bye" });
		const { code, afterMs } = await program.exited;
		expect(code).toBe(0);
		expect(afterMs).toBeLessThan(PROMISED_MS);
		expect(program.stderr).toBe("");
		await expectUdpFree(program.sipPort);
		await expect(fetch(`${program.url}/healthz`)).rejects.toThrow("fetch failed");
	});

	it("Ctrl-C at npm start reaches npm, shell and all: the same, and no process is left", async () => {
		const npm = new Program(["npm", "start", "--silent"], { ...freePorts(), DATA_DIR: temporaryDirectory() }, { detached: true });
		const program = await serving(npm);
		const calls = await twoCalls(program);
		program.kill("SIGINT", true);
		for (const call of calls) expect(await call.ended()).toMatchObject({ by: "remote", cause: "bye" });
		const { code, signal, afterMs } = await program.exited;
		expect(program.stderr).toBe("");
		// Whatever the script made of it, some shells die of a Ctrl-C that they got, and npm passes that on.
		expect([0, 130, "SIGINT"]).toContain(code ?? signal);
		expect(afterMs).toBeLessThan(PROMISED_MS);
		expect(() => process.kill(-(program.child.pid ?? 0), 0), "a process of the group is left").toThrow("ESRCH");
		await expectUdpFree(program.sipPort);
	});

	it("a telephone that answers no BYE does not keep it from ending in time", async () => {
		const program = await start();
		const [call] = await twoCalls(program);
		const frozen = new Program([
			process.execPath,
			`${ROOT}/packages/phone/src/main.ts`,
			`sip:+15550100@127.0.0.1:${program.sipPort}`,
			...["--from", "frozen", "--tone", "440"],
		]);
		await until(() => /answered/i.test(frozen.stdout + frozen.stderr), "the third telephone to be answered", 20_000);
		frozen.kill("SIGSTOP");
		program.kill("SIGINT");
		expect(await call?.ended()).toMatchObject({ by: "remote", cause: "bye" });
		const { code, afterMs } = await program.exited;
		expect(code).toBe(0);
		expect(afterMs).toBeLessThan(PROMISED_MS);
		await expectUdpFree(program.sipPort);
	});

	it("standard input and output closed: calls are hung up all the same", async () => {
		const program = await start();
		const calls = await twoCalls(program);
		program.child.stdin?.destroy();
		program.child.stdout?.destroy();
		program.child.stderr?.destroy();
		program.kill("SIGHUP");
		for (const call of calls) expect(await call.ended()).toMatchObject({ by: "remote", cause: "bye" });
		expect(await program.exited).toMatchObject({ code: 0, signal: null });
	});
});

/** SIGUSR2: an exception that nobody catches; SIGWINCH: a rejection; SIGCONT: many of them. */
const SABOTAGE = `data:text/javascript,${encodeURIComponent(`
	const fail = (n) => setImmediate(() => { throw new Error("on purpose " + n) });
	process.on("SIGUSR2", () => fail(0));
	process.on("SIGWINCH", () => void Promise.reject(new Error("a rejection on purpose")));
	process.on("SIGCONT", () => { for (let n = 1; n <= 30; n++) fail(n) });
`)}`;

describe("faults", () => {
	it("one is told with its stack and served on; a storm of them ends the process, calls hung up", async () => {
		const program = await start({}, ["--import", SABOTAGE]);
		const calls = await twoCalls(program);
		program.kill("SIGUSR2");
		await until(() => program.stderr.includes("on purpose 0"), "the log to tell it");
		program.kill("SIGWINCH");
		await until(() => program.stderr.includes("a rejection on purpose"), "the log to tell it");
		expect(program.stderr).toContain('"stack":"Error: on purpose 0');
		expect(calls.map((call) => call.state)).toEqual(["answered", "answered"]);
		expect((await fetch(`${program.url}/healthz`)).status).toBe(200);
		program.kill("SIGCONT");
		for (const call of calls) expect(await call.ended()).toMatchObject({ by: "remote", cause: "bye" });
		expect(await program.exited).toMatchObject({ code: 1, signal: null });
		expect(program.stderr.match(/^trunkline: .*$/gm)).toEqual([
			"trunkline: too many unexpected faults, stopping; they are in the lines above",
		]);
	});

	it("one during the start is a clear line and exit code 1", async () => {
		const program = launch({ DATA_DIR: temporaryDirectory() }, [
			"--import",
			`data:text/javascript,setTimeout(() => { throw new Error("broken from the start") }, 1)`,
		]);
		expect(await program.exited).toMatchObject({ code: 1 });
		expect(program.stderr).toContain("broken from the start");
	});
});

it("a second Ctrl-C ends it at once", async () => {
	const program = await start();
	await twoCalls(program);
	const frozen = new Program([
		process.execPath,
		`${ROOT}/packages/phone/src/main.ts`,
		`sip:+15550100@127.0.0.1:${program.sipPort}`,
		...["--tone", "440"],
	]);
	await until(() => /answered/i.test(frozen.stdout + frozen.stderr), "the third telephone to be answered", 20_000);
	frozen.kill("SIGSTOP");
	program.kill("SIGINT");
	await program.says(/Hanging up/);
	// one key press may come twice: the second one within 0.7 s is the same
	program.kill("SIGINT");
	await new Promise((resolve) => setTimeout(resolve, 900));
	program.kill("SIGINT");
	const { code, afterMs } = await program.exited;
	expect(code).toBe(130);
	expect(afterMs).toBeLessThan(500);
});
