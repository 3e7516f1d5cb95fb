export * from "./capture-logs.ts";
export * from "./memory-call-store.ts";
export * from "./memory-config-store.ts";
export * from "./memory-dial-queue.ts";
export * from "./memory-webhook-store.ts";
export * from "./records.ts";
export * from "./sim-clock.ts";
export * from "./sim-net.ts";
