import { Validator } from "@seriousme/openapi-schema-validator";
import {
	captureLogs,
	MemoryCallLimitStore,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryNumberOwnerStore,
	MemoryProjectStore,
	MemoryWebhookStore,
} from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { createApp } from "../app.ts";
import { withProjects } from "../projects.ts";
import { testApi } from "../test-api.ts";

interface Document {
	openapi: string;
	paths: Record<string, Record<string, Operation>>;
	components: { schemas: Record<string, Record<string, unknown>> };
}
interface Operation {
	parameters: { name: string; in: string; required: boolean; description?: string; schema: Record<string, unknown> }[];
	requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
	responses: Record<string, unknown>;
}

const { deps } = testApi(
	{
		configStore: new MemoryConfigStore(),
		callStore: (now) => new MemoryCallStore({ now }),
		dialQueue: new MemoryDialQueue(),
		log: captureLogs() as never,
	},
	{
		v1: {
			webhookStore: new MemoryWebhookStore(),
			commandQueue: () => ({ send: async () => {}, receive: async () => [] }),
			strictDispatch: true,
			webhookTargets: { loopback: false, private: false },
			registrationStore: new MemoryRegistrationStore(),
		},
	},
);
const app = createApp(deps);
const read = async (): Promise<Document> => (await (await app.request("/openapi.json")).json()) as Document;

describe("openapi.json", () => {
	it("is OpenAPI 3.1", async () => {
		const validator = new Validator();
		const result = await validator.validate((await read()) as never);
		expect(result).toEqual({ valid: true });
		expect(validator.version).toBe("3.1");
	});

	it("has every route of /v1, and no other", async () => {
		const { paths } = await read();
		const described = Object.entries(paths).flatMap(([path, operations]) =>
			Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
		);
		const routed = app.routes
			.filter(({ path, method }) => path.startsWith("/v1/") && method !== "ALL")
			.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
		expect(described.sort()).toEqual(routed.sort());
		expect(described).toContain("POST /v1/calls/{id}/hangup");
	});

	it("resolves every reference", async () => {
		const document = await read();
		const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? "");
		expect(references.length).toBeGreaterThan(10);
		for (const reference of new Set(references)) {
			expect(reference).toMatch(/^#\/components\/schemas\/\w+$/);
			expect(document.components.schemas).toHaveProperty(reference.split("/").at(-1) ?? "");
		}
	});

	it("says the checks that are made: parameters, limits, secrets that no schema has", async () => {
		const { paths, components } = await read();
		const list = paths["/v1/calls"]?.["get"];
		expect(list?.parameters.map(({ name, required }) => [name, required])).toEqual([
			["since", false],
			["until", false],
			["room", false],
			["trunk", false],
			["state", false],
			["direction", false],
			["limit", false],
			["cursor", false],
		]);
		const limit = list?.parameters.find(({ name }) => name === "limit");
		expect(limit).toMatchObject({ schema: { type: "integer", minimum: 1, maximum: 100 } });
		const state = list?.parameters.find(({ name }) => name === "state");
		expect(state).toMatchObject({ schema: { type: "string", enum: expect.arrayContaining(["queued", "live"]) } });
		expect(paths["/v1/calls/{id}"]?.["get"]?.parameters).toMatchObject([{ name: "id", in: "path", required: true }]);
		expect(components.schemas["ExplainRequest"]).toMatchObject({ required: ["from", "to", "source"], additionalProperties: false });
		expect(components.schemas["Explanation"]).toMatchObject({ type: "object", required: expect.arrayContaining(["summary", "outcome"]) });
		expect(components.schemas["Explanation"]).not.toHaveProperty("additionalProperties");
		for (const schema of Object.values(components.schemas)) expect(schema).not.toHaveProperty("$ref");
		expect(components.schemas["WebhookSettings"]).toMatchObject({ properties: { webhooks: { maxItems: 10 } } });
		expect(Object.keys(list?.responses ?? {})).toEqual(["200", "400", "401", "403", "404", "413", "429", "503"]);
		expect(JSON.stringify(components)).not.toMatch(/authPassword|authUsername/);
	});
});

describe("with an administrator", () => {
	const stores = { store: new MemoryProjectStore(), owners: new MemoryNumberOwnerStore(), callLimits: new MemoryCallLimitStore() };
	const administered = createApp(withProjects(deps, { ...stores, builtInProjects: [], adminSecret: "x" }).deps);

	it("has the routes of projects too, for the admin secret", async () => {
		const document = (await (await administered.request("/openapi.json")).json()) as Document;
		expect(await new Validator().validate(document as never)).toEqual({ valid: true });
		const described = Object.entries(document.paths).flatMap(([path, operations]) =>
			Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
		);
		const routed = administered.routes
			.filter(({ path, method }) => path.startsWith("/v1/") && method !== "ALL")
			.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
		expect(described.sort()).toEqual(routed.sort());
		expect(document.paths["/v1/projects"]?.["post"]).toMatchObject({ security: [{ adminSecret: [] }], responses: { "201": {} } });
	});
});
