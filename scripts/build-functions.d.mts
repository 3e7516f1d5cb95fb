/** Gives what was built: an ES module with its `handler`. `folder`: dist/functions unless said. */
export function buildFunctions(folder?: string): Promise<{ name: string; file: string; bytes: number; gzippedBytes: number }[]>;
