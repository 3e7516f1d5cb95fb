import {
	ChangeMessageVisibilityCommand,
	DeleteMessageCommand,
	type Message,
	ReceiveMessageCommand,
	SendMessageCommand,
	type SQSClient,
} from "@aws-sdk/client-sqs";
import { type AbortSignalLike, DomainError, type Received } from "@trunkline/domain";

/** SQS's limits of one receive. */
const MAX_MESSAGES = 10;
const MAX_WAIT_MS = 20_000;
/** Beyond the long poll itself: for the connection, the answer and a slow second. */
const POLL_MARGIN_MS = 5000;

/** What the queue needs of a logger (pino's argument order). */
export interface QueueLog {
	warn(fields: Record<string, unknown>, message: string): void;
}

export interface SqsQueueOptions {
	url: string;
	/** where messages go that cannot be read; without it they are deleted, and the log has their count */
	deadLetterUrl?: string;
	log?: QueueLog;
}

/** What a queue carries. */
export interface MessageKind<T> {
	/** as logs call it */
	name: string;
	schema: { parse(value: unknown): T; safeParse(value: unknown): Parsed<T> };
}

type Parsed<T> =
	| { success: true; data: T }
	| { success: false; error: { issues: readonly { path: readonly PropertyKey[]; code?: string }[] } };

/** Messages of one kind on one SQS queue, checked by their schema on both ends. */
export class SqsMessageQueue<T> {
	readonly #kind: MessageKind<T>;
	readonly #client: SQSClient;
	readonly #queueUrl: string;
	readonly #deadLetterUrl: string | undefined;
	readonly #log: QueueLog | undefined;
	#unreadable = 0;

	constructor(kind: MessageKind<T>, client: SQSClient, options: SqsQueueOptions) {
		this.#kind = kind;
		this.#client = client;
		this.#queueUrl = options.url;
		this.#deadLetterUrl = options.deadLetterUrl;
		this.#log = options.log;
	}

	/** Throws when it is no message of this kind, and `unavailable` when SQS cannot be reached. */
	async send(message: T): Promise<void> {
		const MessageBody = JSON.stringify(this.#kind.schema.parse(message));
		await this.#reach(() => this.#client.send(new SendMessageCommand({ QueueUrl: this.#queueUrl, MessageBody })));
	}

	/**
	 * SQS counts whole seconds: `waitMs` is rounded down to them. A receive that is aborted may lose sight of a message that was on its way; SQS
	 * delivers it again after the visibility time-out. Throws `unavailable`.
	 */
	async receive(max: number, waitMs: number, signal?: AbortSignalLike): Promise<Received<T>[]> {
		if (signal?.aborted || max < 1) return [];
		const waitSeconds = Math.floor(Math.min(Math.max(waitMs, 0), MAX_WAIT_MS) / 1000);
		const stop = new AbortController();
		const onAbort = (): void => stop.abort();
		signal?.addEventListener("abort", onAbort);
		try {
			const request = new ReceiveMessageCommand({
				QueueUrl: this.#queueUrl,
				MaxNumberOfMessages: Math.min(max, MAX_MESSAGES),
				WaitTimeSeconds: waitSeconds,
				MessageSystemAttributeNames: ["ApproximateReceiveCount"],
			});
			const options = { abortSignal: stop.signal, requestTimeout: waitSeconds * 1000 + POLL_MARGIN_MS };
			const { Messages = [] } = await this.#reach(() => this.#client.send(request, options));
			const received = await Promise.all(Messages.map((message) => this.#read(message)));
			return received.filter((one) => one !== undefined);
		} catch (error) {
			if (stop.signal.aborted) return [];
			throw error;
		} finally {
			signal?.removeEventListener("abort", onAbort);
		}
	}

	async #read(message: Message): Promise<Received<T> | undefined> {
		const read = parse(this.#kind, message.Body ?? "");
		if (!read.ok) {
			await this.#deadLetter(message, read.reason);
			return undefined;
		}
		const receipt = { QueueUrl: this.#queueUrl, ReceiptHandle: message.ReceiptHandle };
		return {
			message: read.message,
			ack: async () => {
				await this.#reach(() => this.#client.send(new DeleteMessageCommand(receipt)));
			},
			release: async () => {
				await this.#reach(() => this.#client.send(new ChangeMessageVisibilityCommand({ ...receipt, VisibilityTimeout: 0 })));
			},
		};
	}

	/**
	 * At once, not by waiting for the redrive: five deliveries of what nobody can read would keep nodes busy for minutes. When this fails the message
	 * comes back, and the redrive is what is left.
	 */
	async #deadLetter({ Body, MessageId, ReceiptHandle, Attributes }: Message, reason: string): Promise<void> {
		const unreadable = ++this.#unreadable;
		const moved = this.#deadLetterUrl !== undefined;
		try {
			if (moved) {
				const MessageAttributes = { reason: { DataType: "String", StringValue: reason } };
				await this.#client.send(new SendMessageCommand({ QueueUrl: this.#deadLetterUrl, MessageBody: Body, MessageAttributes }));
			}
			await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#queueUrl, ReceiptHandle }));
		} catch (error) {
			this.#log?.warn({ messageId: MessageId, err: error }, `unreadable ${this.#kind.name} message could not be dead-lettered`);
			return;
		}
		const fields = { messageId: MessageId, reason, receiveCount: Attributes?.ApproximateReceiveCount, unreadable };
		this.#log?.warn(fields, `unreadable ${this.#kind.name} message ${moved ? "moved to the dead-letter queue" : "deleted"}`);
	}

	async #reach<T>(request: () => Promise<T>): Promise<T> {
		try {
			return await request();
		} catch (error) {
			const why = nameOf(error);
			throw new DomainError("unavailable", `The SQS queue ${this.#queueUrl} cannot be reached (${why}); try again`, {}, { cause: error });
		}
	}
}

/** ECONNREFUSED and the like say more than the name "Error" they come with. */
function nameOf(error: unknown): string {
	if (!(error instanceof Error)) return "unknown error";
	return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/** The message, or which field is wrong with it; never its content, which may be anything. */
function parse<T>({ schema }: MessageKind<T>, body: string): { ok: true; message: T } | { ok: false; reason: string } {
	let value: unknown;
	try {
		value = JSON.parse(body);
	} catch {
		return { ok: false, reason: "not JSON" };
	}
	const result = schema.safeParse(value);
	if (result.success) return { ok: true, message: result.data };
	const fields = result.error.issues.map((issue) => `${issue.path.join(".") || "message"}: ${issue.code ?? "invalid"}`);
	return { ok: false, reason: fields.join(", ").slice(0, 200) };
}
