import { expect, it } from "vitest";
import { tracesFromEnvironment } from "./wire-traces.ts";

it("finds each region's bucket: its own by TRACES_BUCKET, the others' in REGIONS", () => {
	const { traces } = tracesFromEnvironment({
		AWS_REGION: "eu-west-1",
		TRACES_BUCKET: "calls-eu",
		REGIONS: JSON.stringify([
			{ region: "eu-west-1", callsTable: "t" },
			{ region: "us-east-1", tracesBucket: "calls-us" },
			{ region: "ap-south-1" },
		]),
	});
	expect(traces?.("eu-west-1")).toBeDefined();
	expect(traces?.("us-east-1")).toBeDefined();
	expect(traces?.("ap-south-1")).toBeUndefined();
});

it("without a bucket there are no traces", () => {
	expect(tracesFromEnvironment({ AWS_REGION: "eu-west-1", TRACES_BUCKET: "" })).toEqual({});
});

it.each([{ TRACES_BUCKET: "No Bucket" }, { REGIONS: "[" }, { REGIONS: '[{"region":"a","tracesBucket":"No Bucket"}]' }])(
	"%j is told by its name",
	(env) => {
		expect(() => tracesFromEnvironment({ AWS_REGION: "eu-west-1", ...env })).toThrow(new RegExp(Object.keys(env)[0] ?? ""));
	},
);
