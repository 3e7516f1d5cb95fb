/** rtc-node logs each callback at debug level unless it is loaded in production: what a failed test says would drown in it. */
const environment = process.env["NODE_ENV"];
process.env["NODE_ENV"] = "production";
await import("@livekit/rtc-node");
process.env["NODE_ENV"] = environment;

export {};
