import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Delivery, type Outcome, WebhookQueue, type WebhookQueueOptions } from "./webhook-queue.ts";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const taken: Outcome = { kind: "taken" };
const again: Outcome = { kind: "again", why: "answered 503" };

interface Kit {
	queue: WebhookQueue;
	/** bodies in the order they were posted */
	posted: string[];
	dropped: string[];
	/** ms since the start, of each post */
	times: number[];
	add(key: string, ...bodies: string[]): void;
}

function kit(answer: (body: string) => Outcome | Promise<Outcome>, options: Partial<WebhookQueueOptions> = {}): Kit {
	const [posted, dropped, times]: [string[], string[], number[]] = [[], [], []];
	const start = Date.now();
	const queue = new WebhookQueue({
		async post(body) {
			posted.push(body);
			times.push(Date.now() - start);
			return answer(body);
		},
		now: Date.now,
		firstRetryMs: 1_000,
		slowestRetryMs: 8_000,
		giveUpAfterMs: 60_000,
		maxPerKey: 3,
		maxInAll: 5,
		maxAtOnce: 2,
		dropped: ({ body }, why) => dropped.push(`${body}: ${why}`),
		...options,
	});
	const add = (key: string, ...bodies: string[]): void => {
		for (const body of bodies) queue.add({ key, name: body, body, queuedAt: Date.now() } satisfies Delivery);
	};
	return { queue, posted, dropped, times, add };
}

it("tries again with growing pauses, and what comes later waits its turn", async () => {
	let failures = 5;
	const { posted, times, add, queue, dropped } = kit(() => (failures-- > 0 ? again : taken));
	add("room", "first", "second");
	await vi.advanceTimersByTimeAsync(60_000);
	expect(posted).toEqual([...Array.from({ length: 6 }, () => "first"), "second"]);
	expect(times).toEqual([0, 1_000, 3_000, 7_000, 15_000, 23_000, 23_000]);
	expect([queue.size, dropped]).toEqual([0, []]);
});

it("one room does not hold up another", async () => {
	const { posted, add } = kit((body) => (body.startsWith("a") ? again : taken));
	add("a", "a1");
	add("b", "b1", "b2");
	await vi.advanceTimersByTimeAsync(0);
	expect(posted).toEqual(["a1", "b1", "b2"]);
});

it("gives up on what nobody takes, and on what is refused at once", async () => {
	const { posted, dropped, add } = kit((body) =>
		body === "no" ? { kind: "refused", why: "answered 302" } : body === "late" ? taken : again,
	);
	add("room", "no", "never", "late");
	await vi.advanceTimersByTimeAsync(90_000);
	expect(dropped).toEqual(["no: answered 302", "never: answered 503"]);
	expect(posted.at(-1)).toBe("late");
	expect(posted.filter((body) => body === "no")).toEqual(["no"]);
});

it("drops the oldest when too many of one room wait, and of the longest line when too many wait in all", async () => {
	const { queue, dropped, add } = kit(() => again);
	add("a", "a1", "a2", "a3", "a4");
	expect(dropped).toEqual(["a1: too many of this room wait"]);
	add("b", "b1", "b2");
	expect([dropped.length, queue.size]).toEqual([1, 5]);
	add("b", "b3");
	expect(dropped.slice(1)).toEqual(["a2: too many wait"]);
});

it("keeps nothing about rooms whose deliveries were all dropped", async () => {
	const { queue, add, dropped } = kit(() => again);
	for (let i = 0; i < 20; i++) {
		add(`room ${i}`, `event ${i}`);
		await vi.advanceTimersByTimeAsync(100);
	}
	expect([dropped.length, queue.size]).toEqual([15, 5]);
	await vi.advanceTimersByTimeAsync(10_000);
	expect(queue.keys).toBe(5);
});

it("asks few at once, and the rest when they are through", async () => {
	const waiting: (() => void)[] = [];
	const { posted, add } = kit(() => new Promise((resolve) => waiting.push(() => resolve(taken))));
	for (const key of ["a", "b", "c"]) add(key, key);
	expect(posted).toEqual(["a", "b"]);
	waiting[0]?.();
	await vi.advanceTimersByTimeAsync(0);
	expect(posted).toEqual(["a", "b", "c"]);
});

it("at the end brings what waits while there is time, and says what is lost", async () => {
	let failures = 1;
	const { queue, dropped, posted, add } = kit((body) => (body === "lost" || failures-- > 0 ? again : taken));
	add("a", "kept");
	add("b", "lost");
	const closed = queue.close(1_500);
	add("a", "after the end");
	await vi.advanceTimersByTimeAsync(1_500);
	await closed;
	expect(dropped).toEqual(["lost: the server ends"]);
	expect(posted.filter((body) => body === "kept").length).toBe(2);
	await vi.advanceTimersByTimeAsync(60_000);
	expect([queue.size, posted.includes("after the end")]).toEqual([0, false]);
});
