import type { DialRequest } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import type { InviteRouting } from "./ports.ts";

/** How the call may go on when its first target does not take it: as the trunk's settings and its provider's profile say. */
export function inviteRouting(
	{ address, settings }: Pick<DialRequest, "address" | "settings">,
	mayCall: (targets: readonly string[]) => Promise<string | undefined>,
): InviteRouting {
	const { failoverStatuses, followRedirects, redirectHosts } = effectiveSettings(settings);
	if (!followRedirects) return { failoverStatuses };
	return { failoverStatuses, redirects: { hosts: [hostOf(address), ...redirectHosts], mayCall } };
}

function hostOf(address: string): string {
	return (/^\[([^\]]+)\]/.exec(address)?.[1] ?? address.replace(/:\d+$/, "")).toLowerCase();
}
