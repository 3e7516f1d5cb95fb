export * from "./correlation.ts";
export * from "./emf.ts";
export * from "./logger.ts";
export * from "./metric-names.ts";
export * from "./metrics.ts";
export * from "./pii.ts";
export * from "./totals.ts";
