/** How often a node says that it lives. */
export const NODE_HEARTBEAT_MS = 5_000;
/** A node that has said nothing for so long is dead: two heartbeats may be lost. */
export const NODE_DEAD_AFTER_MS = 15_000;
/** Who claimed a dead node and has not buried it within this died at it, or has to come again. */
export const NODE_BURIAL_MS = 15_000;
/** So long a node is known after its last word, and a dead one as dead: longer than any call lasts. */
export const NODE_KEPT_SECONDS = 2 * 86_400;
