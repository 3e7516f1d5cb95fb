/**
 * Bounds on what a stranger with a valid key can have us store. LiveKit has none of them; all lie far above real use, and below what DynamoDB
 * takes in one item (400 KB).
 */
export const MAX_NAME_LENGTH = 1024;
export const MAX_METADATA_LENGTH = 65_536;
export const MAX_LIST_LENGTH = 1000;
/** claims that one trunk or rule may hold (conflicts.ts): each is a write of its creation */
export const MAX_CONFLICT_KEYS = 2000;
export const MAX_MAP_SIZE = 64;
/** one number, address, room name, identity, user name or password */
export const MAX_ENTRY_LENGTH = 255;
export const MAX_ATTRIBUTE_LENGTH = 8192;
export const MAX_CODECS = 32;
/** digits of a PIN that the prompt reads */
export const MAX_PIN_LENGTH = 16;
export const MAX_DTMF_LENGTH = 256;
export const MAX_CALL_DURATION_MS = 24 * 3600 * 1000;
export const DEFAULT_RINGING_TIMEOUT_MS = 180_000;
