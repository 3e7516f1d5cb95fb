export * from "./client.ts";
export * from "./dial-queue.ts";
export * from "./queues.ts";
