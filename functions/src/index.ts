export { createApp } from "./api/app.ts";
export type { ApiDeps, ApiKey } from "./api/deps.ts";
export { forwardTo } from "./api/forward.ts";
export { type WithProjects, withProjects } from "./api/projects.ts";
export { sleep } from "./api/sleep.ts";
export { transferBy } from "./api/transfer-call.ts";
export { EventDeliverer, webhookSinks } from "./consumers/event-delivery.ts";
export { EventLoop } from "./consumers/event-loop.ts";
export { type SigningKey, WebhookSender } from "./consumers/webhook-sender.ts";
