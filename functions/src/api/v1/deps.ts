import type { TestCall, TestCallRequest } from "@trunkline/contracts";
import type { CommandQueue, RegistrationStore, TraceStore, WebhookStore } from "@trunkline/domain";
import type { TargetPolicy } from "../../consumers/webhook-target.ts";

/** What `/v1` needs from outside beside what the whole API needs. */
export interface V1Deps {
	webhookStore: WebhookStore;
	/** of every region */
	registrationStore: Pick<RegistrationStore, "getRegistration">;
	/** of the calls of a region; unset, or undefined: none are kept there */
	traces?(region: string): Pick<TraceStore, "getTrace"> | undefined;
	/** the queue of the node that has a call, in the call's region */
	commandQueue(nodeId: string, region: string): CommandQueue;
	/** as the media nodes have it: does a rule without trunks refuse a call that passed no trunk? */
	strictDispatch: boolean;
	/** where webhooks may go */
	webhookTargets: TargetPolicy;
	/** lets the built-in telephone call; unset: there is none */
	testCall?(projectId: string, request: TestCallRequest): Promise<TestCall>;
}
