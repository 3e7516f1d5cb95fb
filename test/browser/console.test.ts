import AxeBuilder from "@axe-core/playwright";
import { callDetails } from "@trunkline/domain";
import { ENDINGS, endedCall } from "@trunkline/testkit/endings";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Testbed, until } from "../e2e/testbed.ts";
import { launchChromium } from "./chromium.ts";

const browser: Browser | undefined = await launchChromium();
let bed: Testbed;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
	bed = await Testbed.start({ LIVEKIT_API_KEY: "devkey", LIVEKIT_API_SECRET: "secret" });
});
afterEach(async () => {
	for (const context of contexts.splice(0)) await context.close();
	await bed.clear();
});
afterAll(async () => {
	await browser?.close();
	await bed.close();
});

const WIDE = { width: 1200, height: 850 };
/** a small telephone's */
const NARROW = { width: 360, height: 740 };

/** Opens the console; what goes wrong in the page is in the errors. */
async function open(
	view: string,
	options: { viewport?: typeof WIDE; colorScheme?: "light" | "dark" } = {},
): Promise<{ page: Page; errors: string[] }> {
	const context = await (browser as Browser).newContext({
		viewport: WIDE,
		locale: "en-GB",
		reducedMotion: "reduce",
		permissions: ["microphone"],
		...options,
	});
	contexts.push(context);
	const page = await context.newPage();
	const errors: string[] = [];
	page.on("pageerror", (error) => errors.push(error.message));
	page.on("console", (message) => {
		if (message.type() === "error") errors.push(`${message.text()} ${message.location().url}`);
	});
	await page.goto(`${bed.local.url}/console/#/${view}`);
	await page.locator("main h1").waitFor();
	return { page, errors };
}

/** Violations of WCAG as axe sees them, in words. */
async function violations(page: Page): Promise<string[]> {
	const { violations: found } = await new AxeBuilder({ page }).analyze();
	return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

describe.skipIf(browser === undefined)("the console in Chromium", () => {
	it("one person alone hears a call: joins the room, is called, sees the record, hangs up", async () => {
		const { page, errors } = await open("phone/hello");
		await page.getByRole("button", { name: "Join" }).click();
		await page.getByRole("heading", { name: "In room “hello”" }).waitFor();
		await page.getByRole("button", { name: "Call me" }).click();
		const here = page.getByRole("region", { name: "Participants" });
		await here.getByText("Phone +15550123", { exact: false }).first().waitFor();
		// The tune is heard: LiveKit's client measures what it plays.
		await page.waitForFunction(`[...document.querySelectorAll("audio")].some((one) => one.srcObject !== null && !one.paused)`);
		await page.getByRole("button", { name: "1", exact: true }).click();
		await page.getByRole("button", { name: "pound" }).click();
		await page.getByRole("region", { name: "Keypad" }).getByText("1#", { exact: true }).waitFor();
		await page.getByRole("button", { name: "Mute", exact: true }).click();
		await page.getByRole("button", { name: "Unmute" }).waitFor();

		const record = await open("calls");
		await record.page.getByRole("link", { name: /\d/ }).first().click();
		await record.page.getByRole("region", { name: "SIP messages" }).getByText("200 OK (SDP)").first().waitFor();
		await record.page.getByRole("region", { name: "Decision" }).getByText('joins room "hello"', { exact: false }).waitFor();
		const [file] = await Promise.all([
			record.page.waitForEvent("download"),
			record.page.getByRole("button", { name: /Wireshark/ }).click(),
		]);
		expect(file.suggestedFilename()).toMatch(/^SCL_\w+\.pcapng$/);
		const quality = record.page.getByRole("region", { name: "Quality" });
		// While the call goes on: a number of each direction, and a plot that is drawn.
		await quality.getByRole("img", { name: /^MOS\. telephone → room: from \d\.\d\d to \d\.\d\d; room → telephone: from \d/ }).waitFor();
		await quality.getByRole("img", { name: /^Loss\. telephone → room: from \d+\.\d\d to / }).waitFor();
		await quality.getByRole("img", { name: /^Loudness\. telephone → room: from -\d+\.\d\d to / }).waitFor();
		await quality.locator("canvas").first().waitFor();
		expect(await violations(record.page)).toEqual([]);

		await here.getByRole("button", { name: /^Hang up/ }).click();
		await here.getByText("Nobody else yet.").waitFor();
		await record.page
			.getByText(/participant-removed|hangup/)
			.first()
			.waitFor();
		await page.getByRole("button", { name: "Leave" }).click();
		await page.getByText("You are out of the room.").waitFor();
		expect([...errors, ...record.errors]).toEqual([]);
	});

	it("a trunk and a rule are added, changed and deleted with the keyboard", async () => {
		const { page, errors } = await open("trunks");
		await page.getByRole("button", { name: "Add inbound trunk" }).press("Enter");
		await page.getByLabel("Name", { exact: true }).fill("Carrier");
		await page.getByLabel("Numbers").fill("+15550777, +15550778");
		await page.getByLabel("Numbers").press("Enter");
		await page.getByRole("cell", { name: /^Carrier ST_/ }).waitFor();
		const stored = async () => (await bed.sip.listSipInboundTrunk()).find(({ name }) => name.startsWith("Carrier"));
		expect((await stored())?.numbers).toEqual(["+15550777", "+15550778"]);

		await page.getByRole("button", { name: "Edit Carrier" }).press("Enter");
		await page.getByLabel("Name", { exact: true }).fill("Carrier two");
		await page.getByRole("button", { name: "Save" }).press("Enter");
		await page.getByRole("cell", { name: /^Carrier two ST_/ }).waitFor();
		expect((await stored())?.numbers).toEqual(["+15550777", "+15550778"]);

		await page.goto(`${bed.local.url}/console/#/rules`);
		await page.getByRole("button", { name: "Add rule" }).press("Enter");
		await page.getByLabel("Name", { exact: true }).fill("To support");
		await page.getByLabel("Room", { exact: true }).fill("support");
		await page.getByLabel("Carrier two").press("Space");
		await page.getByRole("button", { name: "Add", exact: true }).press("Enter");
		await page.getByRole("cell", { name: "one room for all: support" }).waitFor();

		await page.goto(`${bed.local.url}/console/#/explain`);
		await page.getByLabel("To", { exact: true }).fill("+15550777");
		await page.getByText('joins room "support"', { exact: false }).waitFor();
		await page.getByLabel("To", { exact: true }).fill("+15559999");
		await page.getByText("The call is refused: SIP 404", { exact: false }).waitFor();

		await page.goto(`${bed.local.url}/console/#/rules`);
		await page.getByRole("button", { name: "Delete To support" }).press("Enter");
		await page.getByRole("button", { name: "Delete rule" }).press("Enter");
		await page.getByRole("cell", { name: /^To support SDR_/ }).waitFor({ state: "detached" });
		await page.goto(`${bed.local.url}/console/#/trunks`);
		await page.getByRole("button", { name: "Delete Carrier two" }).press("Enter");
		await page.getByRole("button", { name: "Delete trunk" }).press("Enter");
		await until(async () => (await stored()) === undefined, "the trunk to be gone");
		expect(errors).toEqual([]);
	});

	it("with the keyboard alone: a trunk, a rule, what would happen to a call, a test call that is heard and hung up", async () => {
		const { page, errors } = await open("trunks");
		/** Tab, until what has the focus is called so; and that is seen */
		const tabTo = async (name: string | RegExp): Promise<void> => {
			for (let i = 0; i < 60; i++) {
				await page.keyboard.press("Tab");
				const [called, outline] = await page.evaluate<[string, string]>(`(() => {
					const one = document.activeElement;
					const called = one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? "";
					return [called.trim(), getComputedStyle(one).outlineStyle];
				})()`);
				if (typeof name === "string" ? called !== name : !name.test(called)) continue;
				expect(outline, called).not.toBe("none");
				return;
			}
			throw new Error(`no Tab leads to ${String(name)}`);
		};
		const press = async (name: string | RegExp, key = "Enter"): Promise<void> => {
			await tabTo(name);
			await page.keyboard.press(key);
		};
		const type = async (name: string | RegExp, text: string): Promise<void> => {
			await tabTo(name);
			await page.keyboard.type(text);
		};
		await press("Add inbound trunk");
		await page.getByRole("dialog").waitFor();
		await type("Name", "By keys");
		await type("Numbers", "+15550888");
		await page.keyboard.press("Enter");
		await page.getByRole("cell", { name: /^By keys ST_/ }).waitFor();

		await press("Dispatch rules");
		await page.getByRole("heading", { name: "Dispatch rules" }).waitFor();
		await press("Add rule");
		await page.getByRole("dialog").waitFor();
		await type("Name", "To keys");
		await type("Room", "keys");
		await press(/^By keys/, "Space");
		await press("Add");
		await page.getByRole("cell", { name: "one room for all: keys" }).waitFor();

		await press("Explain");
		await page.getByRole("heading", { name: "What would happen to a call?" }).waitFor();
		await tabTo("To");
		await page.keyboard.press("Control+a");
		await page.keyboard.type("+15550888");
		await page.getByText('joins room "keys"', { exact: false }).waitFor();

		await press("Phone");
		await page.getByRole("heading", { name: "Phone", exact: true }).waitFor();
		await press("Join");
		await page.getByRole("heading", { name: "In room “hello”" }).waitFor();
		await press("Call me");
		const here = page.getByRole("region", { name: "Participants" });
		await here.getByText("Phone +15550123", { exact: false }).first().waitFor();
		await press(/^Hang up/);
		await here.getByText("Nobody else yet.").waitFor();
		await press("Leave");
		await page.getByText("You are out of the room.").waitFor();
		expect(errors).toEqual([]);
	});

	it("says in words what the API refuses, beside the form, which keeps what was typed", async () => {
		const { page } = await open("trunks");
		await page.getByRole("button", { name: "Add outbound trunk" }).click();
		await page.getByLabel("Name", { exact: true }).fill("No number");
		await page.getByLabel("Address").fill("127.0.0.1");
		await page.getByRole("button", { name: "Add", exact: true }).click();
		const alert = page.getByRole("alert");
		await alert.waitFor();
		expect(await alert.innerText()).toMatch(/number/i);
		expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("No number");
		await page.keyboard.press("Escape");
		await page.getByRole("dialog").waitFor({ state: "detached" });
	});

	it.each(["calls/%", "calls/%00%ff", "%E0%A4%A"])("an address that is no URI shows a view all the same: #/%s", async (view) => {
		const { page, errors } = await open(view);
		expect(await page.locator("main h1").innerText()).toMatch(/^Calls?$/);
		expect(errors.filter((error) => error.includes("malformed"))).toEqual([]);
	});

	it("a wrong secret is told at the door, and the right one is not sent", async () => {
		const { page } = await open("calls");
		const sent: string[] = [];
		page.on("request", (request) => sent.push(`${request.url()} ${request.postData() ?? ""} ${JSON.stringify(request.headers())}`));
		await page.getByRole("button", { name: "Sign out" }).click();
		await page.getByLabel("API key").fill("devkey");
		await page.getByLabel("API secret").fill("wrong-guess-4711");
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByRole("alert").waitFor();
		await page.getByLabel("API secret").fill("secret");
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByRole("heading", { name: "Calls" }).waitFor();
		expect(sent.length).toBeGreaterThan(1);
		expect(sent.filter((one) => one.includes("4711"))).toEqual([]);
	});

	it("says of each way to end what the API says, in the same words", async () => {
		const { page, errors } = await open("calls");
		const ended = ENDINGS.map(([, end, over], index) => callDetails({ ...endedCall(end, over), callId: `SCL_${index}` }));
		await page.route("**/v1/calls/*", (route) => {
			const id = Number(new URL(route.request().url()).pathname.slice("/v1/calls/SCL_".length));
			return route.fulfill({ json: ended[id] });
		});
		// these calls are in no store
		await page.route("**/v1/calls/*/trace", (route) => route.fulfill({ json: { summary: "", participants: [], entries: [], dropped: 0 } }));
		for (const call of ended) {
			await page.goto(`${bed.local.url}/console/#/calls/${call.id}`);
			const { explanation } = call;
			const ending = page.locator("main > .note").filter({ hasText: explanation?.what ?? "none" });
			await ending.waitFor();
			expect(await ending.locator("p").allInnerTexts()).toEqual([
				explanation?.what,
				explanation?.why,
				`What to do: ${explanation?.whatToDo}`,
			]);
			expect(await ending.evaluate((element) => element.classList.contains("bad")), explanation?.cause).toBe(explanation?.failed);
		}
		expect(ended.length).toBeGreaterThan(50);
		expect(errors).toEqual([]);
	});

	for (const colorScheme of ["light", "dark"] as const) {
		for (const [name, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
			it(`every view is readable, ${colorScheme} and ${name}: axe finds nothing, nothing is wider than the screen`, async () => {
				const { page, errors } = await open("calls", { viewport, colorScheme });
				for (const view of ["calls", "trunks", "rules", "explain", "phone"]) {
					await page.goto(`${bed.local.url}/console/#/${view}`);
					await page.locator(`nav a[aria-current=page][href="#/${view}"]`).waitFor();
					await page.getByText("Loading…").waitFor({ state: "detached" });
					expect(await violations(page), view).toEqual([]);
					expect(await page.evaluate<number>("document.documentElement.scrollWidth"), view).toBeLessThanOrEqual(viewport.width);
				}
				const phone = await bed.phone();
				const failed = await phone.call(bed.uri("+15559999"), { from: "+15551111" });
				await failed.ended();
				await page.goto(`${bed.local.url}/console/#/calls`);
				await page.getByRole("row", { name: /9999/ }).getByRole("link").first().click();
				const ladder = page.getByRole("region", { name: "SIP messages" });
				await ladder.getByText("404 Does Not Match Any Trunk", { exact: true }).first().waitFor();
				expect(await violations(page), "a failed call").toEqual([]);
				expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(viewport.width);
				// two parties are seen at once, in letters of the size of others
				const [letters, hidden] = await page.evaluate<[number, number]>(`(() => {
					const ladder = document.querySelector(".ladder");
					return [ladder.querySelector("text").getBoundingClientRect().height, ladder.scrollWidth - ladder.clientWidth];
				})()`);
				expect(letters).toBeGreaterThan(11);
				expect(hidden).toBe(0);
				await page.goto(`${bed.local.url}/console/#/trunks`);
				await page.getByRole("button", { name: "Add inbound trunk" }).click();
				await page.getByRole("dialog").waitFor();
				expect(await violations(page), "dialog").toEqual([]);
				expect(errors).toEqual([]);
			});
		}
	}
});
