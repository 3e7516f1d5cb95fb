/** CloudWatch Logs Insights queries that are saved with a stage. Fields are those of packages/observability's lines; a test holds that they are there. */
export interface SavedQuery {
	/** in the console, below trunkline/<stage>/ */
	name: string;
	/** what to change before running it */
	edit?: string;
	query: string;
}

export const QUERIES = {
	callStory: {
		name: "whole story of a call",
		edit: "the call id",
		query: `
fields @timestamp, name, msg, state, event, reason, sipStatus, level, requestId, nodeId, region, trunkId, sipCallId
| filter callId = "SCL_"
| sort @timestamp asc
| limit 1000`,
	},
	requestStory: {
		name: "whole story of an API request",
		edit: "the request id: x-request-id of the answer",
		query: `
fields @timestamp, name, msg, callId, route, status, latencyMs, projectId
| filter requestId = ""
| sort @timestamp asc
| limit 1000`,
	},
	failuresByTrunk: {
		name: "failures by trunk",
		query: `
filter msg = "call ended" and failed = 1
| stats count(*) as calls by trunkId, direction, reason, sipStatus
| sort calls desc
| limit 100`,
	},
	answersByTrunk: {
		name: "calls, answers and length by trunk",
		query: `
filter msg = "call ended"
| stats count(*) as calls, sum(answered) as answers, avg(durationMs) / 1000 as seconds by trunkId, direction
| sort calls desc`,
	},
	slowSetUps: {
		name: "slow set-ups",
		query: `
filter msg = "call ended" and (requestToInviteMs > 2000 or inviteToRingingMs > 6000)
| fields @timestamp, callId, trunkId, nodeId, requestToInviteMs, inviteToRingingMs, inviteToAnswerMs
| sort requestToInviteMs desc
| limit 100`,
	},
	refused: {
		name: "who was refused and why",
		query: `
filter msg = "call refused"
| stats count(*) as calls, latest(callId) as example by source, reason, sipStatus, trunkId
| sort calls desc
| limit 100`,
	},
	refusedByPolicy: {
		name: "calls out that a project's policy refused",
		query: `
filter msg = "call refused by the project's policy"
| stats count(*) as calls, latest(callId) as example by projectId, \`limit\`, code
| sort calls desc
| limit 100`,
	},
	banned: {
		name: "sources that were banned",
		query: `
filter msg = "a source is banned"
| stats count(*) as bans by source, strike
| sort bans desc
| limit 100`,
	},
	throttledProjects: {
		name: "projects over their limits",
		query: `
filter msg = "request answered" and status = 429
| stats count(*) as refused by projectId, operation
| sort refused desc
| limit 20`,
	},
	failedRequests: {
		name: "requests that failed",
		query: `
filter msg = "request answered" and status >= 400
| stats count(*) as requests, latest(requestId) as example by route, status, projectId
| sort requests desc
| limit 100`,
	},
	nodes: {
		name: "load of each node, minute by minute",
		query: `
filter ispresent(ActiveCallsPerNode)
| stats latest(ActiveCallsPerNode) as calls, latest(FreeSlots) as free, avg(NodeCpu) as cpu, max(ClockLateness) as lateMs by bin(1m), nodeId
| sort lateMs desc
| limit 1000`,
	},
	errors: {
		name: "errors by what they are",
		query: `
filter level in ["error", "fatal"]
| stats count(*) as lines, latest(callId) as example by name, msg, err.message
| sort lines desc
| limit 100`,
	},
} as const satisfies Record<string, SavedQuery>;
