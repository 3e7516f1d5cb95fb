import type { Step, Table } from "./fsm.ts";

const FINAL: Step = { to: "completed", do: ["stop E", "stop F", "start K", "inform"] };
const TIMEOUT: Step = { to: "terminated", do: ["inform timeout"] };
const TRANSPORT_ERROR: Step = { to: "terminated", do: ["inform transport error"] };

/** RFC 3261 figure 6. */
export const NON_INVITE_CLIENT: Table = {
	start: { begin: { to: "trying", do: ["send", "start E", "start F"] } },
	trying: {
		"timer E": { to: "trying", do: ["backoff E", "send"] },
		"timer F": TIMEOUT,
		"transport-error": TRANSPORT_ERROR,
		"1xx": { to: "proceeding", do: ["inform"] },
		"2xx": FINAL,
		"3xx-6xx": FINAL,
	},
	proceeding: {
		// §17.1.2.2: in Proceeding timer E is reset to T2; `backoff` reads the state.
		"timer E": { to: "proceeding", do: ["backoff E", "send"] },
		"timer F": TIMEOUT,
		"transport-error": TRANSPORT_ERROR,
		"1xx": { to: "proceeding", do: ["inform"] },
		"2xx": FINAL,
		"3xx-6xx": FINAL,
	},
	completed: { "timer K": { to: "terminated", do: [] } },
};
