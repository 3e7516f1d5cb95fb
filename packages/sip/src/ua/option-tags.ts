/** RFC 3262 §7: provisional responses that are repeated until the caller says by PRACK that they have come. */
export const RELIABLE = "100rel";
