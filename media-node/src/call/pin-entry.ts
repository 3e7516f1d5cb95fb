/** A caller who is asked for the PIN of a dispatch rule, after the answer and before any room. */
export interface PinEntry {
	/** entered so far; in no log, on no record */
	readonly digits: string;
	/** wrong ones, and those that were not entered in time */
	readonly tries: number;
	readonly stage: "waiting" | "entering" | "checking" | "joining" | "leaving";
	/** every PIN that would do has so many digits: the last one needs no "#" */
	readonly length?: number | undefined;
	/** the entry was complete without "#": one that follows belongs to it */
	readonly surplusHash?: boolean;
	/** the room is joined; the caller still hears that he will be */
	readonly roomReady?: boolean;
	readonly promptOver?: boolean;
}

export const newPinEntry = (length: number | undefined): PinEntry => ({ digits: "", tries: 0, stage: "waiting", length });
