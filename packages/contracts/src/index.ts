export * from "./call.ts";
export * from "./ids.ts";
export * from "./messages.ts";
export * from "./trunk.ts";
