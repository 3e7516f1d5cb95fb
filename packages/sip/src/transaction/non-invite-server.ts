import type { Step, Table } from "./fsm.ts";

const FINAL: Step = { to: "completed", do: ["stop guard", "send", "start J"] };
const TRANSPORT_ERROR: Step = { to: "terminated", do: ["inform transport error"] };
const GUARD: Step = { to: "terminated", do: ["inform timeout"] };

/** RFC 3261 figure 8. RFC 4320 §4.1 forbids a late 408, so an unanswered request is dropped in silence when the client has given up. */
export const NON_INVITE_SERVER: Table = {
	start: { begin: { to: "trying", do: ["start guard"] } },
	trying: { "1xx": { to: "proceeding", do: ["send"] }, "2xx": FINAL, "3xx-6xx": FINAL, "timer guard": GUARD },
	proceeding: {
		request: { to: "proceeding", do: ["send"] },
		"1xx": { to: "proceeding", do: ["send"] },
		"2xx": FINAL,
		"3xx-6xx": FINAL,
		"transport-error": TRANSPORT_ERROR,
		"timer guard": GUARD,
	},
	completed: {
		request: { to: "completed", do: ["send"] },
		"transport-error": TRANSPORT_ERROR,
		"timer J": { to: "terminated", do: [] },
	},
};
