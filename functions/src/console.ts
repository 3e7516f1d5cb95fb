import { consoleFiles, consoleRoutes } from "@trunkline/console";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The page at /console, where CONSOLE_DIR names the folder with its files; undefined without. They are read when somebody opens the page first: a start waits for
 * none of them. Whoever opens it signs in with a key of the API.
 */
export function consoleFromEnvironment(environment: Environment): ((request: Request) => Response | Promise<Response>) | undefined {
	const { CONSOLE_DIR: directory = "", LIVEKIT_URL: roomUrl } = environment;
	if (directory === "") return undefined;
	let routes: ReturnType<typeof consoleRoutes> | undefined;
	return (request) => {
		routes ??= consoleRoutes({ files: consoleFiles(directory), ...(roomUrl === undefined ? {} : { roomUrl }), callMe: false });
		return routes.fetch(request);
	};
}
