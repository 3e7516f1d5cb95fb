import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { consoleFiles } from "./files.ts";
import { consoleRoutes } from "./routes.ts";

const files = consoleFiles();
const app = consoleRoutes({ files });

describe("the page at /console", () => {
	it("is found without the slash at the end, under which alone its relative addresses work", async () => {
		const response = await app.request("/console");
		expect([response.status, response.headers.get("location")]).toEqual([302, "/console/"]);
	});

	it("lets nothing be loaded from elsewhere, and nobody frame it", async () => {
		const response = await app.request("/console/");
		expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
		const policy = response.headers.get("content-security-policy") ?? "";
		expect(policy).toContain("default-src 'none'");
		expect(policy).toContain("script-src 'self';");
		expect(policy).toContain("frame-ancestors 'none'");
		expect(await response.text()).not.toMatch(/(src|href)="(https?:)?\/\//);
	});

	it("has every file that one of its files asks for", () => {
		for (const [path, { body, type }] of files) {
			if (path.startsWith("vendor/") || !type.startsWith("text/")) continue;
			const text = new TextDecoder().decode(body);
			const wanted = [...text.matchAll(/(?:from |import\(|src=|href=)"(\.{0,2}\/?[\w./-]+\.(?:js|css|svg))"/g)].map(
				([, name = ""]) => name,
			);
			for (const name of wanted)
				expect([...files.keys()], `${path} asks for ${name}`).toContain(new URL(name, `http://x/${path}`).pathname.slice(1));
		}
	});

	it("is not sent again to who has it", async () => {
		const first = await app.request("/console/app.js");
		const etag = first.headers.get("etag") ?? "";
		expect(etag).toMatch(/^"[\w-]{22}"$/);
		const second = await app.request("/console/app.js", { headers: { "if-none-match": etag } });
		expect([second.status, await second.text()]).toEqual([304, ""]);
	});

	it.each(["../package.json", "..%2Fpackage.json", "vendor/../../src/files.ts", "none.js", ""])("gives nothing else: %s", async (path) => {
		const response = await app.request(`/console/x/${path}`);
		expect(response.status).toBe(404);
	});

	it("tells keys only where everybody knows them", async () => {
		expect(await (await app.request("/console/config.json")).json()).toEqual({ callMe: false });
		const demo = consoleRoutes({
			files,
			wellKnownKeys: { apiKey: "devkey", apiSecret: "secret" },
			roomUrl: "wss://rooms.example",
			callMe: true,
		});
		expect(await (await demo.request("/console/config.json")).json()).toEqual({
			keys: { apiKey: "devkey", apiSecret: "secret" },
			roomUrl: "wss://rooms.example",
			callMe: true,
		});
	});

	it("can be read from one directory, as a deployment has it", () => {
		const directory = mkdtempSync(join(tmpdir(), "trunkline-console-"));
		try {
			writeFileSync(join(directory, "index.html"), "<!doctype html>");
			expect([...consoleFiles(directory).keys()]).toEqual(["index.html"]);
		} finally {
			rmSync(directory, { recursive: true });
		}
	});
});
