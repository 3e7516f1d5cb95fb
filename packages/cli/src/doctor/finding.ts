/** What one check found. */
export interface Finding {
	check: string;
	/** "warning": calls work, but perhaps not all that you want */
	status: "ok" | "warning" | "wrong";
	/** what was found */
	found: string;
	/** what to do about it */
	todo?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, status: "ok", found });
export const warning = (check: string, found: string, todo: string): Finding => ({ check, status: "warning", found, todo });
export const wrong = (check: string, found: string, todo: string): Finding => ({ check, status: "wrong", found, todo });
