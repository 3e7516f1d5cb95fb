export { readConfig, SettingError, type LocalConfig } from "./config.ts";
export { LOCAL_PROJECT, LOCAL_REGION, startLocal, type Local } from "./start.ts";
