import { AsyncLocalStorage } from "node:async_hooks";

/** What ties the lines of one piece of work together. */
export interface Correlation {
	requestId?: string;
	callId?: string;
	projectId?: string;
	trunkId?: string;
	region?: string;
}

const store = new AsyncLocalStorage<Correlation>();

/** Every line that is logged while `work` runs, and by what it starts, has these fields too. */
export function correlated<T>(fields: Correlation, work: () => T): T {
	return store.run({ ...store.getStore(), ...fields }, work);
}

/** What has become known meanwhile: for the rest of the work around. Nothing when there is none. */
export function correlate(fields: Correlation): void {
	const current = store.getStore();
	if (current !== undefined) Object.assign(current, fields);
}

export function correlation(): Readonly<Correlation> {
	return store.getStore() ?? {};
}
