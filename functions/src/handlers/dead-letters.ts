import { deadLetterConsumer } from "../consumers/dead-letters.ts";
import { deadLettersFromEnvironment } from "../wire-fleet.ts";

/** For the dead-letter queue of the dial queue, with ReportBatchItemFailures. */
export const handler: ReturnType<typeof deadLetterConsumer> = deadLetterConsumer(deadLettersFromEnvironment(process.env));
