export * from "./auth/hashes.ts";
export * from "./endpoint-types.ts";
export * from "./machine.ts";
export * from "./message/message.ts";
