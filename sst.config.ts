/// <reference path="./.sst/platform/config.d.ts" />
export default $config({
	async app(input) {
		const { appOf } = await import("./infra/stage.ts");
		return appOf(input.stage);
	},
	async run() {
		const { deploy } = await import("./infra/main.ts");
		return deploy();
	},
});
