import type { CallRecord, DialRequest } from "@trunkline/contracts";
import { type ConfigStore, heldBack, mayBeIn, type ServedRegion, servingCountry } from "@trunkline/domain";
import { pii } from "@trunkline/observability";
import type { InboundOutcome } from "./call/inbound-call.ts";
import type { CallLog } from "./call/runner.ts";

/** A region of the deployment, as a node knows it. */
export interface PeerRegion extends ServedRegion {
	/** where carriers send calls there: host or host:port */
	sipAddress?: string;
}

/** Where a node is, and what else there is: asked before a call is answered, dialled or registered for. */
export class NodeRegion {
	readonly region: string;
	/** INVITEs whose calls are pinned to other regions */
	turnedAway = 0;
	readonly #peers: readonly PeerRegion[];

	constructor(region: string, peers: readonly PeerRegion[] = []) {
		this.region = region;
		this.#peers = peers;
	}

	/** of another region; undefined = not known */
	sipAddress(region: string): string | undefined {
		return this.#peers.find((one) => one.region === region)?.sipAddress;
	}

	/** Why a queued call must not be dialled here; undefined = it may. */
	refuses({ region, request }: Pick<CallRecord, "region" | "request">): string | undefined {
		if (region !== this.region) return `the call is of region ${region}, and this is ${this.region}: it is not placed from here`;
		return heldBack(this.region, request?.regions) ?? heldBack(this.region, request?.settings?.regions);
	}

	/** Why a second leg over this trunk must not leave from here; undefined = it may. */
	keepsFrom({ settings, destinationCountry = "" }: Pick<DialRequest, "settings" | "destinationCountry">): string | undefined {
		const held = heldBack(this.region, settings?.regions);
		if (held !== undefined || destinationCountry === "" || this.#peers.length === 0) return held;
		const serving = servingCountry(this.#peers, destinationCountry);
		if (serving.some(({ region }) => region === this.region)) return undefined;
		return `calls to ${destinationCountry} are not placed from ${this.region}: a second leg stays in the region of its call`;
	}

	/** The trunks that are registered from here: calls that a registrar sends must not come to where they may not be. */
	registeringIn(store: Pick<ConfigStore, "registeringTrunks">): Pick<ConfigStore, "registeringTrunks"> {
		return {
			registeringTrunks: async () =>
				(await store.registeringTrunks()).filter(({ trunk: { settings } }) => mayBeIn(this.region, settings?.regions)),
		};
	}

	/** All that is kept of a call that must not be here: that there was one. */
	decided({ decision, trunkId }: Pick<InboundOutcome, "decision" | "trunkId">, called: string, log: Pick<CallLog, "warn">): void {
		if (decision.kind !== "elsewhere") return;
		this.turnedAway += 1;
		const { status, regions } = decision;
		log.warn({ trunkId, to: pii(called), status, regions }, "an INVITE came to a region that its call is not pinned to");
	}
}
