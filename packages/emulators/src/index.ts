export { startEmbeddedDynamo, type EmbeddedDynamo } from "./dynamo/server.ts";
export { EmulatorError, type EmulatorErrorCode } from "./errors.ts";
export { startEmbeddedSqs, type EmbeddedSqs } from "./sqs.ts";
