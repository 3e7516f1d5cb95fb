import { DEFAULT_POLICY, type FraudPolicy } from "@trunkline/contracts";
import { checkDestination, DomainError } from "@trunkline/domain";

/** Why a project may not call these numbers, users or URIs; undefined = it may. Asked before every INVITE and every REFER of ours. */
export type MayCall = (projectId: string, targets: readonly string[]) => Promise<string | undefined>;

/** `policyOf` gives the policy that is in force; it throws DomainError for a project that is gone. */
export type PolicyOf = (projectId: string) => Promise<Pick<FraudPolicy, "allowedPrefixes" | "blockedPrefixes">>;

/**
 * The project's fraud policy held at the node, whoever asks for the call: a dial request that lay in the queue while the policy changed, or that somebody
 * wrote into the queue past the API, or the target of a peer's REFER. What cannot be judged because the policy cannot be read is refused.
 */
export function mayCallWith(policyOf: PolicyOf = async () => DEFAULT_POLICY): MayCall {
	return async (projectId, targets) => {
		try {
			const policy = await policyOf(projectId);
			for (const target of targets) checkDestination(policy, target, projectId);
			return undefined;
		} catch (error) {
			if (error instanceof DomainError) return error.message;
			return `the project's policy could not be read: ${error instanceof Error ? error.message : String(error)}`;
		}
	};
}
