/** Parameter → SST secret. scripts/deploy.mjs sets the same ones; test/infra compares. */
export const SECRETS = {
	LIVEKIT_URL: "LivekitUrl",
	LIVEKIT_API_KEY: "LivekitApiKey",
	LIVEKIT_API_SECRET: "LivekitApiSecret",
	NONCE_SECRET: "NonceSecret",
	ADMIN_SECRET: "AdminSecret",
} as const;

export type SecretName = keyof typeof SECRETS;
