export * from "./logger.ts";
export * from "./pii.ts";
export * from "./metrics.ts";
