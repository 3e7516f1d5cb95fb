import type { Table } from "./fsm.ts";

/** RFC 3261 figure 7, with the Accepted state of RFC 6026 figure 3. The 100 that figure 7 begins with is sent by the endpoint as the first "1xx". */
export const INVITE_SERVER: Table = {
	start: { begin: { to: "proceeding", do: [] } },
	proceeding: {
		request: { to: "proceeding", do: ["send"] },
		"1xx": { to: "proceeding", do: ["send"] },
		"2xx": { to: "accepted", do: ["send", "start L"] },
		"3xx-6xx": { to: "completed", do: ["send", "start G", "start H"] },
		"transport-error": { to: "proceeding", do: ["inform transport error"] },
	},
	// RFC 6026 §7.1: request retransmissions are absorbed here; the 2xx is repeated by the endpoint (RFC 3261 §13.3.1.4), not by the transaction.
	accepted: {
		"2xx": { to: "accepted", do: ["send"] },
		ack: { to: "accepted", do: ["inform"] },
		"timer L": { to: "terminated", do: [] },
	},
	completed: {
		request: { to: "completed", do: ["send"] },
		"timer G": { to: "completed", do: ["backoff G", "send"] },
		"timer H": { to: "terminated", do: ["inform timeout"] },
		ack: { to: "confirmed", do: ["stop G", "stop H", "start I"] },
		"transport-error": { to: "terminated", do: ["inform transport error"] },
	},
	confirmed: { "timer I": { to: "terminated", do: [] } },
};
