import type { WebhookSettings } from "@trunkline/contracts";
import type { WebhookStore } from "@trunkline/domain";

export class MemoryWebhookStore implements WebhookStore {
	readonly #settings = new Map<string, WebhookSettings>();

	async getWebhooks(projectId: string): Promise<WebhookSettings> {
		return structuredClone(this.#settings.get(projectId) ?? { webhooks: [] });
	}

	async putWebhooks(projectId: string, settings: WebhookSettings): Promise<void> {
		this.#settings.set(projectId, structuredClone(settings));
	}
}
