export * from "./call-store.ts";
export * from "./client.ts";
export * from "./config-store.ts";
export { CALLS_TABLE, CALLS_TTL_ATTRIBUTE, CONFIG_TABLE } from "./keys.ts";
export * from "./tables.ts";
