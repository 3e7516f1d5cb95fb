import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { type HealthServer, startHealthServer } from "./server.ts";

let ready = true;
let server: HealthServer;
beforeEach(async () => {
	ready = true;
	server = await startHealthServer({
		host: "127.0.0.1",
		port: 0,
		ready: () => ready,
		stats: () => ({ calls: 3 }),
		metrics: () => ({ rtpPorts: 4, "dropped-scanner": 17 }),
	});
});
afterEach(() => server.close());

const get = (path: string, method = "GET") => fetch(`http://127.0.0.1:${server.port}${path}`, { method });

describe("health", () => {
	it("a node that takes calls is alive and ready", async () => {
		const [alive, open] = [await get("/healthz"), await get("/ready")];
		expect([alive.status, await alive.json()]).toEqual([200, { status: "ok" }]);
		expect([open.status, await open.json()]).toEqual([200, { status: "ready", calls: 3 }]);
	});

	it("a node that drains is alive and not ready", async () => {
		ready = false;
		const [alive, open] = [await get("/healthz"), await get("/ready?from=lb")];
		expect(alive.status).toBe(200);
		expect([open.status, await open.json()]).toEqual([503, { status: "draining", calls: 3 }]);
	});

	it("/metrics: what was dropped and banned, as numbers for Prometheus", async () => {
		expect(await (await get("/metrics")).text()).toBe("trunkline_rtp_ports 4\ntrunkline_dropped_scanner 17\n");
	});

	test.each([
		["/", "GET", 404],
		["/healthz/x", "GET", 404],
		["/healthz", "POST", 405],
		["/ready", "HEAD", 200],
	])("%s %s: %i", async (path, method, status) => {
		const response = await get(path, method);
		expect(response.status).toBe(status);
		await response.text();
	});

	it("rejects when the port is taken; closing is idempotent and frees it", async () => {
		const again = () => startHealthServer({ host: "127.0.0.1", port: server.port, ready: () => true, stats: () => ({}) });
		await expect(again()).rejects.toMatchObject({ code: "EADDRINUSE" });
		await Promise.all([server.close(), server.close()]);
		server = await again();
	});
});
