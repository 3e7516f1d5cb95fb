/** After this many deliveries without an acknowledgement SQS moves a message to the dead-letter queue itself. */
export const MAX_RECEIVE_COUNT = 5;

/** Attributes of a dial queue, for infra/ as well. A dial is worthless after minutes: the call record has its own, shorter deadline. */
export const DIAL_QUEUE_SECONDS = { retention: 300, visibility: 30, longPoll: 20 } as const;
