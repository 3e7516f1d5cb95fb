import { expect, it } from "vitest";
import { turnServers } from "./ice-servers.ts";

const named = (...urls: string[]) =>
	turnServers([{ urls, username: "u", credential: "p" }]).map(({ transport, host, port }) => `${transport} ${host} ${port}`);

it("reads where relays are to be had, with what stands for nothing said (RFC 7065)", () => {
	expect(named("turn:a.example", "turn:a.example:80?transport=tcp", "turns:a.example")).toEqual([
		"udp a.example 3478",
		"tcp a.example 80",
		"tls a.example 5349",
	]);
});

it("writes IPv6 addresses as sockets tell who sent something", () => {
	expect(named("turn:[2001:DB8:0:0::1]:3478", "turn:[::FFFF:192.0.2.1]")).toEqual(["udp 2001:db8::1 3478", "udp ::ffff:192.0.2.1 3478"]);
});

it("leaves out what is no TURN server, and all above six", () => {
	expect(
		named("stun:a.example", "turns:a.example?transport=udp", "turn:a.example:0", "turn:[a]", "turn:u@a.example", "turn:a.example/x"),
	).toEqual([]);
	expect(named(...Array.from({ length: 9 }, (_, i) => `turn:h${i}.example`))).toHaveLength(6);
});
