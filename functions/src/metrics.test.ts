import { afterEach, expect, it, vi } from "vitest";
import { atOnce, lambdaMetrics } from "./metrics.ts";

afterEach(() => {
	vi.restoreAllMocks();
});

it("without a stage there is nobody to tell", () => {
	expect(lambdaMetrics(undefined, "eu-west-1")).toBeUndefined();
});

it("a function's measurements are lines on standard output: when it says so, or each at once", () => {
	const written: string[] = [];
	vi.spyOn(process.stdout, "write").mockImplementation((text) => {
		written.push(String(text));
		return true;
	});
	const emf = lambdaMetrics("dev", "eu-west-1");
	if (emf === undefined) throw new Error("there are no metrics");
	emf.record("ApiRequests", 1, { operation: "dial" });
	expect(written).toEqual([]);
	emf.flush();
	atOnce(emf).record("EventsGivenUp", 1);
	expect(written.map((text) => text.endsWith("\n"))).toEqual([true, true]);
	expect(written.map((text) => JSON.parse(text) as unknown)).toEqual([
		expect.objectContaining({ Stage: "dev", Region: "eu-west-1", Operation: "dial", ApiRequests: 1 }),
		expect.objectContaining({ Stage: "dev", Region: "eu-west-1", EventsGivenUp: 1 }),
	]);
});
