import type { Table } from "./fsm.ts";

/** RFC 3261 figure 5, with the Accepted state of RFC 6026 figure 1 (a 2xx no longer ends the transaction, so forks and repeats reach it). */
export const INVITE_CLIENT: Table = {
	start: { begin: { to: "calling", do: ["send", "start A", "start B"] } },
	calling: {
		"timer A": { to: "calling", do: ["backoff A", "send"] },
		"timer B": { to: "terminated", do: ["inform timeout"] },
		"transport-error": { to: "terminated", do: ["inform transport error"] },
		"1xx": { to: "proceeding", do: ["stop A", "stop B", "inform"] },
		"2xx": { to: "accepted", do: ["stop A", "stop B", "start M", "inform"] },
		"3xx-6xx": { to: "completed", do: ["stop A", "stop B", "ack", "start D", "inform"] },
	},
	proceeding: {
		"1xx": { to: "proceeding", do: ["inform"] },
		"2xx": { to: "accepted", do: ["start M", "inform"] },
		"3xx-6xx": { to: "completed", do: ["ack", "start D", "inform"] },
	},
	accepted: {
		"2xx": { to: "accepted", do: ["inform"] },
		"timer M": { to: "terminated", do: [] },
	},
	completed: {
		"3xx-6xx": { to: "completed", do: ["ack"] },
		"transport-error": { to: "terminated", do: ["inform transport error"] },
		"timer D": { to: "terminated", do: [] },
	},
};
