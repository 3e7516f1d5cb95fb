export type EmulatorErrorCode = "data_directory_unusable" | "data_directory_locked" | "port_in_use" | "start_failed";

/** The emulator cannot start. `message` names the path or port and what to do about it; it is meant for the terminal. */
export class EmulatorError extends Error {
	override readonly name = "EmulatorError";
	readonly code: EmulatorErrorCode;
	constructor(code: EmulatorErrorCode, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
