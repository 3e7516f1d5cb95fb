import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { serverAccess } from "./config.ts";
import { passwordOf } from "./password.ts";

it.each(["http://127.evil.example:7880", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://192.168.1.4:7880"])(
	"%s is not this machine: it is sent no token of the well-known keys",
	(url) => expect(() => serverAccess(url, {})).toThrow("must be set"),
);

it.each(["http://127.0.0.1:7880", "http://127.1.2.3", "http://localhost:1", "http://[::1]:7880"])("%s is this machine", (url) =>
	expect(serverAccess(url, {})).toMatchObject({ apiKey: "devkey" }),
);

it("a password from a file: nobody sees it among the processes; one line, without its end", async () => {
	const directory = mkdtempSync(join(tmpdir(), "trunkline-password-"));
	const file = join(directory, "password");
	writeFileSync(file, "hunter 2\n");
	expect(await passwordOf({ passwordFile: file })).toBe("hunter 2");
	expect(await passwordOf({ password: "given" })).toBe("given");
	expect(await passwordOf({})).toBeUndefined();
	await expect(passwordOf({ password: "a", passwordFile: file })).rejects.toMatchObject({ exitCode: 2 });
	await expect(passwordOf({ passwordFile: join(directory, "none") })).rejects.toMatchObject({ exitCode: 2 });
	writeFileSync(file, "two\nlines\n");
	await expect(passwordOf({ passwordFile: file })).rejects.toMatchObject({ exitCode: 2 });
	rmSync(directory, { recursive: true });
});
