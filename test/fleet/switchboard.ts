import { type IncomingCall, Phone } from "@trunkline/phone";

/** Telephones behind one address: counts who was dialled, and answers. */
export class Switchboard {
	readonly phone: Phone;
	readonly taken: IncomingCall[] = [];
	/** false: it only rings */
	answers = true;

	static async open(): Promise<Switchboard> {
		return new Switchboard(await Phone.open({ host: "127.0.0.1", record: false }));
	}

	private constructor(phone: Phone) {
		this.phone = phone;
		phone.onIncoming((call) => {
			this.taken.push(call);
			call.ring();
			if (this.answers) void call.answer().catch(() => undefined);
		});
	}

	get address(): string {
		return `127.0.0.1:${this.phone.port}`;
	}

	/** calls that are not over */
	get ringing(): number {
		return this.taken.filter(({ state }) => state !== "ended").length;
	}

	/** Numbers that more than one INVITE came to: each test dials a number once. */
	dialledTwice(): string[] {
		const numbers = this.taken.map(({ to }) => to);
		return numbers.filter((number, index) => numbers.indexOf(number) !== index);
	}

	close(): Promise<void> {
		return this.phone.close();
	}
}
