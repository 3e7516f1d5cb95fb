export { createApp } from "./api/app.ts";
export type { ApiDeps, ApiKey } from "./api/deps.ts";
export { forwardTo } from "./api/forward.ts";
export { sleep } from "./api/sleep.ts";
