import batchGetItem from "dynalite/actions/batchGetItem.js";
import batchWriteItem from "dynalite/actions/batchWriteItem.js";
import createTable from "dynalite/actions/createTable.js";
import deleteItem from "dynalite/actions/deleteItem.js";
import deleteTable from "dynalite/actions/deleteTable.js";
import describeTable from "dynalite/actions/describeTable.js";
import getItem from "dynalite/actions/getItem.js";
import listTables from "dynalite/actions/listTables.js";
import putItem from "dynalite/actions/putItem.js";
import query from "dynalite/actions/query.js";
import scan from "dynalite/actions/scan.js";
import updateItem from "dynalite/actions/updateItem.js";
import updateTable from "dynalite/actions/updateTable.js";
import batchGetItemValidation from "dynalite/validations/batchGetItem.js";
import batchWriteItemValidation from "dynalite/validations/batchWriteItem.js";
import createTableValidation from "dynalite/validations/createTable.js";
import deleteItemValidation from "dynalite/validations/deleteItem.js";
import deleteTableValidation from "dynalite/validations/deleteTable.js";
import describeTableValidation from "dynalite/validations/describeTable.js";
import getItemValidation from "dynalite/validations/getItem.js";
import validations from "dynalite/validations/index.js";
import listTablesValidation from "dynalite/validations/listTables.js";
import putItemValidation from "dynalite/validations/putItem.js";
import queryValidation from "dynalite/validations/query.js";
import scanValidation from "dynalite/validations/scan.js";
import updateItemValidation from "dynalite/validations/updateItem.js";
import updateTableValidation from "dynalite/validations/updateTable.js";

/** `read` sees committed data only; `write` goes through a buffered store; `table` changes tables in place. */
export interface Operation {
	kind: "read" | "write" | "table";
	action: dynalite.Action;
	validation: dynalite.ActionValidation;
}

const operation = (kind: Operation["kind"], action: dynalite.Action, validation: dynalite.ActionValidation): Operation => ({
	kind,
	action,
	validation,
});

/** What dynalite itself can do, by the name on the wire (`X-Amz-Target`). */
export const OPERATIONS = {
	GetItem: operation("read", getItem, getItemValidation),
	BatchGetItem: operation("read", batchGetItem, batchGetItemValidation),
	Query: operation("read", query, queryValidation),
	Scan: operation("read", scan, scanValidation),
	DescribeTable: operation("read", describeTable, describeTableValidation),
	ListTables: operation("read", listTables, listTablesValidation),
	PutItem: operation("write", putItem, putItemValidation),
	UpdateItem: operation("write", updateItem, updateItemValidation),
	DeleteItem: operation("write", deleteItem, deleteItemValidation),
	BatchWriteItem: operation("write", batchWriteItem, batchWriteItemValidation),
	CreateTable: operation("table", createTable, createTableValidation),
	DeleteTable: operation("table", deleteTable, deleteTableValidation),
	UpdateTable: operation("table", updateTable, updateTableValidation),
} satisfies Record<string, Operation>;

export function isOperation(name: string): name is keyof typeof OPERATIONS {
	return Object.hasOwn(OPERATIONS, name);
}

/** Checks and completes a request; throws dynalite's refusal. Members that dynalite does not know are dropped. */
export function checkRequest(operation: Operation, request: Record<string, unknown>, store: dynalite.Store): Record<string, unknown> {
	const data = validations.checkTypes({ ...request }, operation.validation.types);
	validations.checkValidations(data, operation.validation.types, operation.validation.custom, store);
	return data;
}

/** Runs a request that passed `checkRequest`; rejects with dynalite's refusal. */
export function perform(operation: Operation, data: Record<string, unknown>, store: dynalite.Store): Promise<Record<string, unknown>> {
	return new Promise((resolve, reject) => {
		operation.action(store, data, (error, answer) => {
			if (error) reject(error);
			else resolve(answer ?? {});
		});
	});
}

export function tableOf(store: dynalite.Store, name: string): Promise<dynalite.Table> {
	return new Promise((resolve, reject) => {
		store.getTable(name, (error, table) => {
			if (error || !table) reject(error ?? new Error(`no table ${name}`));
			else resolve(table);
		});
	});
}
