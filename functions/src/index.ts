export { createApp } from "./api/app.ts";
export type { ApiDeps, ApiKey } from "./api/deps.ts";
