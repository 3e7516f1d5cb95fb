/** Runs one asynchronous task after the other, in order of arrival. A task that fails does not stop the next. */
export class Mutex {
	#tail: Promise<unknown> = Promise.resolve();

	run<T>(task: () => Promise<T>): Promise<T> {
		const result = this.#tail.then(task);
		this.#tail = result.catch(() => undefined);
		return result;
	}
}
