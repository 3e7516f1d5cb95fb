/** Names of nodes that tags can carry: ND_ and letters or digits. */
const NODE_ID = /^ND_([0-9A-Za-z]{1,32})$/;
const SUFFIX = /-([0-9A-Za-z]{1,32})$/;

/** What is put at the end of a node's tags (RFC 3261 §19.3), after the random part. Undefined for a node whose name no tag can carry. */
export function tagSuffix(nodeId: string): string | undefined {
	const name = NODE_ID.exec(nodeId)?.[1];
	return name === undefined ? undefined : `-${name}`;
}

/** The node that a tag names; undefined when it names none. Anybody can write a tag: whether there is such a node is another question. */
export function nodeOfTag(tag: string): string | undefined {
	const name = SUFFIX.exec(tag)?.[1];
	return name === undefined ? undefined : `ND_${name}`;
}
