/** What of this module is the same in the deployment, in `npm run build` and in the tests of what they make. No imports: SST loads it as it is. */

/** Each file of a Lambda function, from the root of the repository, with its `handler`. */
export const FUNCTIONS = {
	api: "functions/src/api/handler.ts",
	events: "functions/src/handlers/events.ts",
	sweep: "functions/src/handlers/sweep.ts",
	deadLetters: "functions/src/handlers/dead-letters.ts",
} as const;

/**
 * The page of the API's /console, beside its bundle: from the root of the repository, and the name that the page has it under. Libraries are as they are on
 * npm; packages/console has the same list for a laptop.
 */
export const CONSOLE_FILES = [
	{ from: "packages/console/page", to: "console" },
	{ from: "node_modules/htm/preact/standalone.module.js", to: "console/vendor/preact.js" },
	{ from: "node_modules/uplot/dist/uPlot.esm.js", to: "console/vendor/uplot.js" },
	{ from: "node_modules/uplot/dist/uPlot.min.css", to: "console/vendor/uplot.css" },
	{ from: "node_modules/livekit-client/dist/livekit-client.umd.js", to: "console/vendor/livekit-client.js" },
];

/** Where Lambda unpacks them to. */
export const CONSOLE_DIR = "/var/task/console";

/** `runtime`, `architecture` and `nodejs` of sst.aws.Function. The AWS SDK is in the bundle: Lambda's own takes longer to load. */
export const FUNCTION_BUILD = {
	runtime: "nodejs24.x",
	architecture: "arm64",
	nodejs: { minify: true, sourcemap: false, esbuild: { keepNames: false } },
} as const;

/** What SST makes of it for esbuild (4.17.1, `pkg/runtime/node/build.go`). */
export function esbuildOptions(entry: string, outfile: string) {
	const banner = [
		"import { createRequire as topLevelCreateRequire } from 'module';",
		"const require = topLevelCreateRequire(import.meta.url);",
		'import { fileURLToPath as topLevelFileUrlToPath, URL as topLevelURL } from "url"',
		"const __filename = topLevelFileUrlToPath(import.meta.url)",
		'const __dirname = topLevelFileUrlToPath(new topLevelURL(".", import.meta.url))',
	];
	return {
		entryPoints: [entry],
		outfile,
		bundle: true,
		platform: "node" as const,
		format: "esm" as const,
		target: "es2024",
		mainFields: ["module", "main"],
		external: ["sharp", "pg-native"],
		minify: FUNCTION_BUILD.nodejs.minify,
		keepNames: FUNCTION_BUILD.nodejs.esbuild.keepNames,
		banner: { js: banner.join("\n") },
		metafile: true,
		logLevel: "warning" as const,
	};
}
