import type { Ladder, LadderMessage } from "@trunkline/contracts";

const COLUMN = 44;
const TIME = 12;

/** The ladder for a terminal, a line for each message and event. */
export function writeLadder(ladder: Ladder): string {
	const columns = ladder.participants.map(({ id }) => id);
	const pad = " ".repeat(TIME);
	const heads = ladder.participants.map(({ name }) => name.padEnd(COLUMN)).join("");
	const rails = columns.map(() => "│".padEnd(COLUMN)).join("");
	const lines = ladder.entries.map((entry) => {
		const time = `+${(entry.offsetMs / 1000).toFixed(3)}`.padEnd(TIME);
		if (entry.kind === "message") return time + arrow(entry, columns);
		return `${time}● ${printable(entry.label)}${entry.detail === undefined ? "" : `: ${printable(entry.detail)}`}`;
	});
	const more = ladder.dropped > 0 ? [`${pad}${ladder.dropped} more messages were not kept`] : [];
	const last = ladder.live ? [`${pad}… the call goes on`] : [];
	return [printable(ladder.summary), "", pad + heads.trimEnd(), pad + rails.trimEnd(), ...lines, ...more, ...last, ""].join("\n");
}

/** ├── INVITE (SDP) ──────▶│ between the two columns; what is between them is crossed. */
function arrow(message: LadderMessage, columns: readonly string[]): string {
	const from = columns.indexOf(message.from);
	const to = columns.indexOf(message.to);
	const [left, right] = from < to ? [from, to] : [to, from];
	const width = (right - left) * COLUMN - 1;
	const again = message.retransmission ? " (again)" : "";
	const label = clipped(` ${printable(message.label)}${again} ${message.transport === "UDP" ? "" : `${message.transport} `}`, width - 4);
	const line = from < to ? `──${label}${"─".repeat(width - 3 - length(label))}▶` : `◀─${label}${"─".repeat(width - 2 - length(label))}`;
	const before = columns.slice(0, left).map(() => "│".padEnd(COLUMN));
	const after = columns.slice(right + 1).map(() => `${" ".repeat(COLUMN - 1)}│`);
	return `${before.join("")}│${line}│${after.join("")}`;
}

const length = (text: string): number => [...text].length;

function clipped(text: string, room: number): string {
	return length(text) <= room ? text : `${[...text].slice(0, room - 2).join("")}… `;
}

/** What strangers sent must not drive the terminal. */
function printable(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
