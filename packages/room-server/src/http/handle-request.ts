import type { IncomingMessage, ServerResponse } from "node:http";
import type { Message, MessageType } from "@bufbuild/protobuf";
import { limits } from "../limits.ts";
import type { Rooms } from "../room/rooms.ts";
import { tokenOf, verifyToken } from "../tokens.ts";
import { roomService } from "./room-service.ts";
import { type HttpReply, TwirpError, twirpErrorReply } from "./twirp.ts";

const SERVICE_PREFIX = "/twirp/livekit.RoomService/";

export interface RequestContext {
	request: IncomingMessage;
	response: ServerResponse;
	url: URL;
	apiKeys: Readonly<Record<string, string>>;
	rooms: Rooms;
	/** what a join with this request's token and parameters would be answered */
	validate(): Promise<{ status: number; message: string }>;
	log(message: string, fields: Record<string, unknown>): void;
}

/** Answers what is this server's; false for any other path. */
export function handleRequest(context: RequestContext): boolean {
	const reply = route(context);
	if (reply === undefined) return false;
	reply
		.catch((error: unknown): HttpReply => {
			if (error instanceof TwirpError) return twirpErrorReply(error);
			context.log("request failed", { path: context.url.pathname, err: error });
			return twirpErrorReply(new TwirpError("internal", "internal error"));
		})
		.then(({ status, contentType, body }) => {
			context.response.writeHead(status, { "content-type": contentType, "access-control-allow-origin": "*" }).end(body);
		})
		.catch((error: unknown) => context.log("reply not sent", { err: error }));
	return true;
}

function route(context: RequestContext): Promise<HttpReply> | undefined {
	const path = context.url.pathname;
	if (path === "/rtc/validate" || path === "/rtc/v1/validate") return validate(context);
	// without an upgrade there is nothing here, and below /rtc there is no more than this
	if (path === "/rtc" || path.startsWith("/rtc/")) return Promise.resolve(plainText(404, "not found"));
	if (path.startsWith(SERVICE_PREFIX)) return callService(context, path.slice(SERVICE_PREFIX.length));
	return undefined;
}

async function validate(context: RequestContext): Promise<HttpReply> {
	const { status, message } = await context.validate();
	return plainText(status, message);
}

async function callService({ request, apiKeys, rooms, url }: RequestContext, methodName: string): Promise<HttpReply> {
	if (request.method !== "POST") throw new TwirpError("bad_route", `unsupported method ${request.method} (only POST is allowed)`);
	const contentType = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
	if (contentType !== "application/json" && contentType !== "application/protobuf") {
		throw new TwirpError("bad_route", "unexpected Content-Type: application/json and application/protobuf are taken");
	}
	const body = await readBody(request);
	const verified = await verifyToken(tokenOf(request.headers.authorization, url.searchParams), apiKeys);
	if (!verified.ok) throw new TwirpError("unauthenticated", verified.message);
	const method = Object.hasOwn(roomService, methodName) ? roomService[methodName] : undefined;
	if (method === undefined) throw new TwirpError("unimplemented", `livekit.RoomService/${methodName} is not implemented`);
	const json = contentType === "application/json";
	const result = method.call(rooms, verified.grants, decode(method.request, body, json));
	return json
		? { status: 200, contentType, body: result.toJsonString({ emitDefaultValues: true, useProtoFieldName: true }) }
		: { status: 200, contentType, body: result.toBinary() };
}

function decode(type: MessageType, body: Buffer, json: boolean): Message {
	try {
		return json ? type.fromJsonString(body.toString("utf8"), { ignoreUnknownFields: true }) : type.fromBinary(body);
	} catch (error) {
		throw new TwirpError("malformed", error instanceof Error ? error.message : "the request could not be decoded");
	}
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > limits.bodyBytes) throw new TwirpError("resource_exhausted", "request body is too large");
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

function plainText(status: number, text: string): HttpReply {
	return { status, contentType: "text/plain; charset=utf-8", body: text };
}
