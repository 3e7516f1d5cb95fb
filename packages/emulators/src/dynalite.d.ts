/** The parts of dynalite 4.0.0 (pinned: these are its inner modules) that the emulator is made of. */
declare namespace dynalite {
	type AttributeValue = Record<string, unknown>;
	type Item = Record<string, AttributeValue>;
	type Callback<T> = (
		error: (Error & { statusCode?: number; body?: { __type: string; message?: string } }) | null | undefined,
		value?: T,
	) => void;
	interface Write {
		type: "put" | "del";
		key: string;
		value?: unknown;
	}
	interface SubDatabase {
		get(key: string, callback: Callback<unknown>): void;
		put(key: string, value: unknown, callback: Callback<void>): void;
		del(key: string, callback: Callback<void>): void;
		lock(key: string, critical: (release: <A extends unknown[]>(callback: (...values: A) => void) => (...values: A) => void) => void): void;
		createValueStream(options: Record<string, unknown>): NodeJS.EventEmitter;
	}
	interface Table {
		TableName: string;
		TableStatus: string;
		KeySchema: { AttributeName: string }[];
		GlobalSecondaryIndexes?: { IndexStatus: string }[];
	}
	interface Level {
		open(): Promise<void>;
		get(key: string): Promise<unknown>;
		getSync(key: string): unknown;
		values(range: Record<string, unknown>): { nextv(size: number): Promise<unknown[]>; close(): Promise<void> };
		createValueStream(range: Record<string, unknown>): NodeJS.EventEmitter;
		put(key: string, value: unknown): Promise<void>;
		del(key: string): Promise<void>;
		batch(writes: Write[]): Promise<void>;
		iterator(range: { gte: string; lt: string }): AsyncIterable<[string, unknown]>;
	}
	interface Store {
		options: { maxItemSize: number };
		db: Level;
		getItemDb(table: string): SubDatabase;
		getIndexDb(kind: string, table: string, index: string): SubDatabase;
		getTable(name: string, checkStatus: boolean | Callback<Table>, callback?: Callback<Table>): void;
		lifecycleManager: { gracefulClose(): Promise<void> };
	}
	interface ParserContext {
		attrNames?: Record<string, string> | null;
		attrVals?: Record<string, AttributeValue> | null;
		unusedAttrNames: Record<string, boolean>;
		unusedAttrVals: Record<string, boolean>;
		isKeyCondition?: boolean;
	}
	/** A refusal is a string, or is thrown. */
	interface Parser {
		parse: (expression: string, options: { context: ParserContext }) => unknown;
	}
	type Action = (store: Store, data: Record<string, unknown>, callback: Callback<Record<string, unknown>>) => void;
	interface ActionValidation {
		types: Record<string, unknown>;
		custom?: unknown;
	}
}

declare module "dynalite/db/index.js" {
	const db: {
		create(options: { path?: string; createTableMs: number; deleteTableMs: number; updateTableMs: number }): dynalite.Store;
		createKey(item: dynalite.Item, table: dynalite.Table): string;
		itemSize(item: dynalite.Item): number;
	};
	export default db;
}

declare module "dynalite/db/conditionParser.js" {
	const parser: dynalite.Parser;
	export default parser;
}

declare module "dynalite/db/projectionParser.js" {
	const parser: dynalite.Parser;
	export default parser;
}

declare module "dynalite/db/updateParser.js" {
	const parser: dynalite.Parser;
	export default parser;
}

declare module "dynalite/validations/index.js" {
	const validations: {
		checkTypes(data: Record<string, unknown>, types: Record<string, unknown>): Record<string, unknown>;
		checkValidations(data: Record<string, unknown>, types: Record<string, unknown>, custom: unknown, store: dynalite.Store): void;
	};
	export default validations;
}

declare module "dynalite/actions/*" {
	const action: dynalite.Action;
	export default action;
}

declare module "dynalite/validations/*" {
	const validation: dynalite.ActionValidation;
	export default validation;
}
