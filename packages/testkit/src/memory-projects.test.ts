import { callLimitStoreContract } from "./contract/call-limit-store.ts";
import { projectStoreContract } from "./contract/project-store.ts";
import { MemoryCallLimitStore } from "./memory-call-limit-store.ts";
import { MemoryProjectStore } from "./memory-project-store.ts";

projectStoreContract("memory", async () => ({ store: new MemoryProjectStore() }));
callLimitStoreContract("memory", async () => {
	const store = new MemoryCallLimitStore();
	return { open: () => store };
});
