import type { StageTools } from "./stage-tools.mjs";

type Environment = Readonly<Record<string, string | undefined>>;
interface DeployTools extends StageTools {
	run(command: string, args: string[], options: { environment: Environment; quiet: boolean }): Promise<{ code: number; output: string }>;
}

export const SECRETS: Readonly<Record<string, unknown>>;
export function deploy(argv: readonly string[], environment: Environment, tools: DeployTools): Promise<number>;
