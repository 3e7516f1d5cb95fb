import { readFileSync, writeFileSync } from "node:fs";
import type { ProviderProfile } from "@trunkline/contracts";
import { expect, it } from "vitest";
import { providerProfiles } from "./profiles.ts";

/*
 * The parts of docs/providers.md between `<!-- data -->` and `<!-- /data -->` are made from the profiles. When they differ the test says so; with
 * UPDATE_DOCS=1 it writes them.
 */
const FILE = new URL("../../../../docs/providers.md", import.meta.url);
const PART = /(<!-- data: ([a-z-]+) -->\n)[^]*?(<!-- \/data -->)/g;

type Fact = { unsure?: boolean | undefined };
const sure = (text: string, { unsure }: Fact): string => (unsure === true ? `${text} **?**` : text);
const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
const words = (all: readonly string[]): string => (all.length === 0 ? "–" : all.join(", "));

const COLUMNS: readonly [string, (profile: ProviderProfile) => string][] = [
	["provider", ({ id }) => `\`${id}\``],
	["transports", ({ transports }) => words(transports.map((one) => sure(`${one.transport} ${one.port}`, one)))],
	["calls are let in from", ({ signallingComplete }) => (signallingComplete ? "its own networks" : "anywhere, unless `allowed_addresses`")],
	[
		"credentials in / out",
		({ authentication }) => sure(`${words(authentication.inbound)} / ${words(authentication.outbound)}`, authentication),
	],
	["REGISTER", ({ registration }) => sure(registration.support, registration)],
	["codecs", ({ codecs }) => words(codecs.map((one) => sure(one.name, one)))],
	["SRTP", ({ srtp }) => sure(srtp.support, srtp)],
	["tries another address of ours after", ({ failover }) => sure(words(failover.theirs.statuses.map(String)), failover.theirs)],
	[
		"transfer",
		({ refer, referNotes }) =>
			sure(
				`${referNotes.support}${referNotes.kinds.length > 0 ? ` (${referNotes.kinds.join(", ")})` : ""}${refer.diversion ? ", with Diversion" : ""}`,
				referNotes,
			),
	],
];

function overview(): string {
	const lines = [row(COLUMNS.map(([title]) => title)), row(COLUMNS.map(() => "---"))];
	return [...lines, ...providerProfiles().map((profile) => row(COLUMNS.map(([, cell]) => cell(profile))))].join("\n");
}

function networks({ addresses, asOf, sources }: ProviderProfile): string {
	if (addresses.length === 0) return "";
	const groups = Map.groupBy(addresses, ({ use, source, unsure }) => `${use} ${source} ${unsure === true}`);
	const lines = [...groups.values()].map((group) => {
		const [first] = group;
		if (first === undefined) return "";
		const regions = Map.groupBy(group, ({ region }) => region);
		const listed = [...regions].map(([region, own]) => `${region} ${own.map(({ network }) => `\`${network}\``).join(" ")}`).join(" · ");
		return sure(`- ${first.use} (${sources[first.source]}, read ${asOf}): ${listed}`, first);
	});
	return lines.join("\n");
}

function facts(profile: ProviderProfile): string {
	const limits = profile.limits.map((limit) => sure(`- ${limit.what}: ${limit.value}`, limit));
	const headers = profile.headers.map((header) => {
		const attribute = profile.headersToAttributes[header.name];
		return sure(`- \`${header.name}\`${attribute === undefined ? "" : ` → attribute \`${attribute}\``}: ${header.meaning}`, header);
	});
	const notes = profile.notes.map((note) => sure(`- ${note.text}`, note));
	return [
		networks(profile),
		sure(`- caller id: ${profile.numbers.callerId}`, profile.numbers),
		sure(
			`- transfer: ${profile.referNotes.targets}${profile.referNotes.note === undefined ? "" : `; ${profile.referNotes.note}`}`,
			profile.referNotes,
		),
		...profile.statuses.map((one) => sure(`- status ${one.status}: ${one.meaning}`, one)),
		...limits,
		...headers,
		...notes,
	]
		.filter((line) => line !== "")
		.join("\n")
		.replaceAll("<", "&lt;");
}

it("docs/providers.md says what the data says", () => {
	const text = readFileSync(FILE, "utf8");
	const made = text.replace(PART, (_all, begin: string, name: string, end: string) => {
		const profile = providerProfiles().find(({ id }) => id === name);
		return `${begin}${profile === undefined ? overview() : facts(profile)}\n${end}`;
	});
	if (process.env["UPDATE_DOCS"] === "1") writeFileSync(FILE, made);
	else expect(text).toBe(made);
	const described = [...text.matchAll(PART)].map(([, , name]) => name);
	expect(described).toEqual(["overview", "twilio", "telnyx", "exotel", "plivo", "wavix", "genesys-avaya", "india"]);
});
