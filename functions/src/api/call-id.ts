import { createHash } from "node:crypto";
import { newId, type RandomBytes } from "@trunkline/contracts";

/**
 * The id of the call that a request asks for. The SDK's retries of one request carry one request id, and get the same call id from it, so that a
 * retry finds the first attempt's call instead of making a second one. Without a request id each request is a new call.
 */
export function callIdFor(projectId: string, requestId: string | undefined, random: RandomBytes): string {
	if (requestId === undefined || requestId === "") return newId("SCL_", random);
	let block = 0;
	return newId("SCL_", (length) =>
		createHash("sha256")
			.update(JSON.stringify([projectId, requestId, block++]))
			.digest()
			.subarray(0, length),
	);
}
