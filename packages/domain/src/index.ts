export * from "./dispatch-rule/conflicts.ts";
export * from "./dispatch-rule/match.ts";
export * from "./errors.ts";
export * from "./number.ts";
export * from "./ports.ts";
export * from "./trunk/conflicts.ts";
export * from "./trunk/match.ts";
