import fc from "fast-check";
import { describe, it } from "vitest";
import { DRIVERS } from "./drivers.ts";

/** In all. `npm run fuzz` goes on where this ends. */
const INPUTS = 100_000;

describe(`${INPUTS} inputs to the parsers of the shipped code`, () => {
	it.each(DRIVERS.map((driver) => [driver.name, driver] as const))(
		"%s: no throw, no hang",
		(_, driver) => {
			// fast-check prints its seed and the shrunk input when a property fails.
			fc.assert(
				fc.property(driver.inputs, (input) => driver.run(input as never)),
				{ numRuns: Math.ceil(INPUTS / DRIVERS.length), interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true },
			);
		},
		60_000,
	);
});
