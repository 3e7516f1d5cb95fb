/** Writes the file set of the media node's image into a folder, which must be empty or absent. */
export function buildNode(folder: string): { packages: string[]; files: number; bytes: number };
