import type { StageTools } from "./stage-tools.mjs";

export function remove(
	argv: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
	tools: StageTools,
): Promise<number>;
