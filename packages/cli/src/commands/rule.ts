import type { SIPDispatchRuleInfo, SipClient } from "livekit-server-sdk";
import { ListUpdate, SIPDispatchRule, SIPDispatchRuleCallee, SIPDispatchRuleDirect, SIPDispatchRuleIndividual } from "@livekit/protocol";
import type { Command } from "commander";
import type { MakeContext } from "../context.ts";
import { deleteEach } from "../deletion.ts";
import { CliError, EXIT } from "../errors.ts";
import { examples, json, many, pairs, sayWhat } from "../options.ts";
import { table } from "../output.ts";
import type { Server } from "../server.ts";

interface RuleOptions {
	name?: string;
	trunk?: string[];
	room?: string;
	prefix?: string;
	callee?: boolean;
	pin?: string;
	attribute?: Record<string, string>;
	metadata?: string;
	hideNumber?: boolean;
}

export function ruleCommands(program: Command, contextOf: MakeContext): void {
	const rule = program.command("rule").description("dispatch rules: which room a call comes into");

	rule
		.command("list")
		.description("all rules")
		.addHelpText("after", examples("rule list"))
		.action(async (_options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const rules = await server().sip.listSipDispatchRule();
			const rows = rules.map((one) => [one.sipDispatchRuleId, one.name, one.trunkIds.join(", ") || "every trunk", targetOf(one)]);
			output.result(rules.map(json), () => table(["ID", "NAME", "TRUNKS", "ROOM"], rows, 'There is no rule. "rule add" makes one.'));
		});

	rule
		.command("show")
		.description("one rule")
		.argument("<rule>", "id of a rule")
		.addHelpText("after", examples("rule show SDR_3nVKGYxUmDbQ"))
		.action(async (id: string, _options: unknown, command: Command) => {
			const { server, output } = contextOf(command);
			const found = await ruleOf(server(), id);
			output.result(json(found), () => JSON.stringify(json(found), undefined, 2));
		});

	withOptions(rule.command("add").description("a new rule"))
		.option("--attribute <name=value>", "attribute of the caller's participant; may be given again", pairs)
		.option("--metadata <text>", "metadata of the caller's participant")
		.option("--hide-number", "the room does not see the caller's number")
		.addHelpText(
			"after",
			examples(
				"rule add --name lobby --room lobby --trunk ST_3nVKGYxUmDbQ",
				"rule add --prefix call- --attribute team=sales",
				"rule add --room vault --pin 2468",
			),
		)
		.action(async (options: RuleOptions, command: Command) => {
			const { server, output } = contextOf(command);
			const made = await server().sip.createSipDispatchRule(given(options), {
				name: options.name ?? "",
				trunkIds: options.trunk ?? [],
				attributes: options.attribute ?? {},
				metadata: options.metadata ?? "",
				hidePhoneNumber: options.hideNumber ?? false,
			});
			output.result(json(made), () => `rule ${made.sipDispatchRuleId} is there: calls come into ${targetOf(made)}`);
		});

	withOptions(rule.command("set").description("change a rule; what is not named stays"))
		.argument("<rule>", "id of a rule")
		.addHelpText("after", examples("rule set SDR_3nVKGYxUmDbQ --room hall", 'rule set SDR_3nVKGYxUmDbQ --pin ""'))
		.action(async (id: string, options: RuleOptions, command: Command) => {
			const { server, output } = contextOf(command);
			sayWhat(options);
			const before = await ruleOf(server(), id);
			const target = [options.room, options.prefix, options.callee, options.pin].some((one) => one !== undefined)
				? { rule: changedTarget(before, options) }
				: {};
			const changed = await server().sip.updateSipDispatchRuleFields(id, {
				...target,
				...(options.name === undefined ? {} : { name: options.name }),
				...(options.trunk === undefined ? {} : { trunkIds: new ListUpdate({ set: options.trunk }) }),
			});
			output.result(json(changed), () => `rule ${id} is changed`);
		});

	rule
		.command("delete")
		.description("delete rules")
		.argument("<rule...>", "ids of rules")
		.addHelpText("after", examples("rule delete SDR_3nVKGYxUmDbQ"))
		.action(async (ids: string[], _options: unknown, command: Command) => {
			const context = contextOf(command);
			const known = (await context.server().sip.listSipDispatchRule()).map(({ sipDispatchRuleId }) => sipDispatchRuleId);
			await deleteEach(context, "rule", { ids, known }, (id) => context.server().sip.deleteSipDispatchRule(id));
		});
}

const withOptions = (command: Command): Command =>
	command
		.option("--name <name>", "a name for people")
		.option("--trunk <trunk>", "id of a trunk whose calls it is for (all when not said); may be given again", many)
		.option("--room <room>", "all calls into this room")
		.option("--prefix <prefix>", "each call into a room of its own, whose name begins so")
		.option("--callee", "each call into the room of the called number")
		.option("--pin <digits>", "callers are asked for this PIN; an empty one: for none");

type Target = Parameters<SipClient["createSipDispatchRule"]>[0];

async function ruleOf(server: Server, id: string): Promise<SIPDispatchRuleInfo> {
	const found = (await server.sip.listSipDispatchRule()).find(({ sipDispatchRuleId }) => sipDispatchRuleId === id);
	if (found === undefined) throw new CliError(`there is no rule ${JSON.stringify(id)}; "rule list" has those that there are`);
	return found;
}

/** What is not named stays: a room that changes must not lose its PIN. */
function changedTarget({ rule: before }: SIPDispatchRuleInfo, options: RuleOptions): SIPDispatchRule {
	const pin = options.pin ?? before?.rule.value?.pin ?? "";
	if ([options.room, options.prefix, options.callee].some((one) => one !== undefined)) return messageOf({ ...options, pin });
	const same = new SIPDispatchRule(before);
	if (same.rule.value !== undefined) same.rule.value.pin = pin;
	return same;
}

function given({ room, prefix, callee, pin = "" }: RuleOptions): Target {
	if (room !== undefined && (prefix !== undefined || callee === true))
		throw new CliError("--room is one room for all calls, --prefix and --callee are many: give either", EXIT.usage);
	if (room !== undefined) return { type: "direct", roomName: room, pin };
	if (callee === true) return { type: "callee", roomPrefix: prefix ?? "", pin, randomize: false };
	if (prefix !== undefined) return { type: "individual", roomPrefix: prefix, pin };
	throw new CliError("where to? --room, --prefix or --callee says it", EXIT.usage);
}

function messageOf(options: RuleOptions): SIPDispatchRule {
	const target = given(options);
	const pin = target.pin ?? "";
	if (target.type === "direct")
		return new SIPDispatchRule({
			rule: { case: "dispatchRuleDirect", value: new SIPDispatchRuleDirect({ roomName: target.roomName, pin }) },
		});
	const { roomPrefix } = target;
	if (target.type === "individual")
		return new SIPDispatchRule({ rule: { case: "dispatchRuleIndividual", value: new SIPDispatchRuleIndividual({ roomPrefix, pin }) } });
	return new SIPDispatchRule({ rule: { case: "dispatchRuleCallee", value: new SIPDispatchRuleCallee({ roomPrefix, pin }) } });
}

function targetOf({ rule }: SIPDispatchRuleInfo): string {
	const chosen = rule?.rule;
	switch (chosen?.case) {
		case "dispatchRuleDirect":
			return `${chosen.value.roomName}${chosen.value.pin === "" ? "" : " (PIN)"}`;
		case "dispatchRuleIndividual":
			return `${chosen.value.roomPrefix}… (one each)`;
		case "dispatchRuleCallee":
			return `${chosen.value.roomPrefix}<called number>`;
		default:
			return "";
	}
}
