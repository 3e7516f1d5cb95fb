type Environment = Readonly<Record<string, string | undefined>>;

/** What `npm run deploy` and `npm run remove` reach outside with. */
export interface StageTools {
	sst(args: string[], environment: Environment, more?: { input?: string; quiet?: boolean }): Promise<{ code: number; output: string }>;
	ask(question: string, options?: { secret?: boolean }): Promise<string>;
	say(text: string): void;
	/** is there somebody to ask? */
	terminal: boolean;
	/** where AWS's own files are; unset = the person's */
	home?: string;
}

export function credentialsIn(environment: Environment, home?: string): string | undefined;
