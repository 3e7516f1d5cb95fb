/** The file that `DtlnNetwork` takes the bytes of: 2 MB, for whoever has a file system. */
export const DTLN_WEIGHTS = new URL("../../model/dtln.f16", import.meta.url);
