export { type ConsoleOptions, consoleRoutes } from "./routes.ts";
export { type ConsoleFile, consoleFiles } from "./files.ts";
