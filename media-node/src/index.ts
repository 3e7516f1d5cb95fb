export { MediaNode, type MediaNodeOptions, type NodeStats } from "./wire.ts";
