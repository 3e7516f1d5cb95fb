import { type SweepTrigger, type Swept, sweeper } from "../consumers/sweep.ts";
import { withSecrets } from "../secrets.ts";
import { sweepFromEnvironment } from "../wire-fleet.ts";

/** For a schedule of a minute, and for ECS' events of tasks that have stopped. */
export const handler: (trigger: SweepTrigger) => Promise<Swept> = sweeper(
	sweepFromEnvironment(await withSecrets(process.env, ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])),
);
