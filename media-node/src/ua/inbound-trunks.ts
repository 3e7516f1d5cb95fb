import type { InboundTrunk } from "@trunkline/contracts";
import type { ConfigStore } from "@trunkline/domain";

const PAGE = 200;

/** Inbound trunks, up to `most`; undefined when there are more. */
export type InboundTrunks = (most: number) => Promise<readonly InboundTrunk[] | undefined>;

/** Those of the projects that `projects` gives (undefined = too many to know), read page by page. */
export function inboundTrunksOf(
	store: Pick<ConfigStore, "listInboundTrunks">,
	projects: (most: number) => Promise<readonly string[] | undefined>,
): InboundTrunks {
	return async (most) => {
		const trunks: InboundTrunk[] = [];
		const projectIds = await projects(most);
		if (projectIds === undefined) return undefined;
		for (const projectId of projectIds) {
			const own = await pages(
				(page) => store.listInboundTrunks(projectId, page),
				most - trunks.length,
				({ trunkId }) => trunkId,
			);
			if (own === undefined) return undefined;
			trunks.push(...own);
		}
		return trunks;
	};
}

/** All items of a list that comes in pages; undefined when there are more than `most`. */
export async function pages<T>(
	read: (page: { limit: number; afterId?: string }) => Promise<readonly T[]>,
	most: number,
	idOf: (item: T) => string,
): Promise<T[] | undefined> {
	const items: T[] = [];
	for (let afterId: string | undefined; ; ) {
		const page = await read({ limit: PAGE, ...(afterId === undefined ? {} : { afterId }) });
		items.push(...page);
		if (items.length > most) return undefined;
		const last = page.at(-1);
		if (last === undefined || page.length < PAGE) return items;
		afterId = idOf(last);
	}
}
