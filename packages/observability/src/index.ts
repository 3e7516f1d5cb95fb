export * from "./logger.ts";
export * from "./pii.ts";
