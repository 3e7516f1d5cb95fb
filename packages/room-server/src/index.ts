export { RoomServer, type RoomServerOptions, type RoomServerStats } from "./room-server.ts";
