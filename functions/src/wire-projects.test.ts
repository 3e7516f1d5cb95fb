import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { expect, test } from "vitest";
import { testApi } from "./api/test-api.ts";
import { projectsFromEnvironment } from "./wire-projects.ts";

const environment = { AWS_REGION: "eu-west-1", CONFIG_TABLE: "config", CALLS_TABLE: "calls" };
const { deps } = testApi({
	configStore: new MemoryConfigStore(),
	callStore: (now) => new MemoryCallStore({ now }),
	dialQueue: new MemoryDialQueue(),
	log: captureLogs(),
});

test("without a KMS key there are no projects to be made", () => {
	expect(projectsFromEnvironment(deps, environment, ["default"])).toBeUndefined();
});

test("with one there are, and the deployment's own key stays", async () => {
	const secret = "x".repeat(32);
	const wired = projectsFromEnvironment(deps, { ...environment, PROJECTS_KMS_KEY: "alias/projects", ADMIN_SECRET: secret }, ["default"]);
	expect(wired?.deps.projects?.adminSecret).toBe(secret);
	expect(await wired?.deps.keys.lookup("devkey")).toMatchObject({ projectId: "p_test" });
});

test.each([{ ADMIN_SECRET: "hunter2" }, { PROJECTS_KMS_KEY: "" }])("%j is named, and not repeated", (over) => {
	const [name = ""] = Object.keys(over);
	expect(() => projectsFromEnvironment(deps, { ...environment, ...over }, [])).toThrow(
		new RegExp(`^bad environment: ${name}: ((?!hunter2).)*$`),
	);
});
