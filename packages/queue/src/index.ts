export * from "./client.ts";
export * from "./command-queue.ts";
export * from "./dial-queue.ts";
export * from "./event-bus.ts";
export * from "./queues.ts";
