import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";

/** Deletes those of `ids` that are known, and tells; throws CliError for the others. */
export async function deleteEach(
	{ output }: Context,
	kind: "trunk" | "rule",
	{ ids, known }: { ids: readonly string[]; known: readonly string[] },
	remove: (id: string) => Promise<unknown>,
): Promise<void> {
	const deleted = [...new Set(ids)].filter((id) => known.includes(id));
	for (const id of deleted) await remove(id);
	if (deleted.length > 0) output.result({ deleted }, () => `deleted: ${deleted.join(", ")}`);
	const missing = ids.filter((id) => !known.includes(id));
	if (missing.length > 0)
		throw new CliError(
			`there is no ${kind} ${missing.map((id) => JSON.stringify(id)).join(", ")}; "${kind} list" has those that there are`,
		);
}
