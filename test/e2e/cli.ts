import { run } from "../../packages/cli/src/program.ts";

export interface Ran {
	code: number;
	out: string;
	err: string;
}

/** A command line of `npm run trunkline --`, in this process, for the server at `url` with the keys of `npm start`. */
export async function trunkline(url: string, ...argv: readonly string[]): Promise<Ran> {
	const ran = { code: -1, out: "", err: "" };
	const streams = {
		out: (text: string) => {
			ran.out += text;
		},
		err: (text: string) => {
			ran.err += text;
		},
		isTerminal: false,
	};
	ran.code = await run(["--url", url, ...argv], streams);
	return ran;
}
