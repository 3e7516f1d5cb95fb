import { callLimitStoreContract } from "./contract/call-limit-store.ts";
import { numberOwnersContract } from "./contract/number-owners.ts";
import { projectStoreContract } from "./contract/project-store.ts";
import { registrationStoreContract } from "./contract/registration-store.ts";
import { transferStoreContract } from "./contract/transfer-store.ts";
import { MemoryCallLimitStore } from "./memory-call-limit-store.ts";
import { MemoryConfigStore } from "./memory-config-store.ts";
import { MemoryNumberOwnerStore } from "./memory-number-owner-store.ts";
import { MemoryProjectStore } from "./memory-project-store.ts";
import { MemoryRegistrationStore } from "./memory-registration-store.ts";
import { MemoryTransferStore } from "./memory-transfer-store.ts";

projectStoreContract("memory", async () => ({ store: new MemoryProjectStore() }));
callLimitStoreContract("memory", async () => {
	const store = new MemoryCallLimitStore();
	return { open: () => store };
});
registrationStoreContract("memory", async () => ({ store: new MemoryRegistrationStore() }));
transferStoreContract("memory", async () => {
	const store = new MemoryTransferStore();
	return { open: () => store };
});
numberOwnersContract("memory", async () => ({ store: new MemoryConfigStore(), owners: new MemoryNumberOwnerStore() }));
