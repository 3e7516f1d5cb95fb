import type { IncomingMessage, ServerResponse } from "node:http";
import type { Message, MessageType } from "@bufbuild/protobuf";
import { limits } from "../limits.ts";
import type { Rooms } from "../room/rooms.ts";
import { tokenOf, verifyToken } from "../tokens.ts";
import { roomService } from "./room-service.ts";
import { type HttpReply, TwirpError, twirpErrorReply } from "./twirp.ts";

const SERVICE_PREFIX = "/twirp/livekit.RoomService/";

/** What answers need of the server. */
export interface ServiceContext {
	apiKeys: Readonly<Record<string, string>>;
	rooms: Rooms;
	/** what a join with this request's token and parameters would be answered */
	validate(): Promise<{ status: number; message: string }>;
	log(message: string, fields: Record<string, unknown>): void;
}

/** What answers need of a request, wherever it came from. */
export interface ServiceRequest {
	verb: string;
	contentType: string;
	authorization: string | undefined;
	body(): Promise<Buffer>;
}

/** Answers what is this server's; false for any other path. */
export function handleRequest(request: IncomingMessage, response: ServerResponse, url: URL, context: ServiceContext): boolean {
	const reply = answer(url, context, {
		verb: request.method ?? "",
		contentType: request.headers["content-type"] ?? "",
		authorization: request.headers.authorization,
		body: () => readBody(request),
	});
	if (reply === undefined) return false;
	reply
		.then(({ status, contentType, body }) => {
			response.writeHead(status, { "content-type": contentType, "access-control-allow-origin": "*" }).end(body);
		})
		.catch((error: unknown) => context.log("reply not sent", { err: error }));
	return true;
}

/** The answer to a request whose path is this server's; never rejects. Undefined for any other path. */
export function answer(url: URL, context: ServiceContext, request: ServiceRequest): Promise<HttpReply> | undefined {
	return route(url, context, request)?.catch((error: unknown): HttpReply => {
		if (error instanceof TwirpError) return twirpErrorReply(error);
		context.log("request failed", { path: url.pathname, err: error });
		return twirpErrorReply(new TwirpError("internal", "internal error"));
	});
}

function route(url: URL, context: ServiceContext, request: ServiceRequest): Promise<HttpReply> | undefined {
	const path = url.pathname;
	if (path === "/rtc/validate" || path === "/rtc/v1/validate") return validate(context);
	// without an upgrade there is nothing here, and below /rtc there is no more than this
	if (path === "/rtc" || path.startsWith("/rtc/")) return Promise.resolve(plainText(404, "not found"));
	if (path.startsWith(SERVICE_PREFIX)) return callService(url, context, request);
	return undefined;
}

async function validate(context: ServiceContext): Promise<HttpReply> {
	const { status, message } = await context.validate();
	return plainText(status, message);
}

async function callService(url: URL, { apiKeys, rooms }: ServiceContext, request: ServiceRequest): Promise<HttpReply> {
	if (request.verb !== "POST") throw new TwirpError("bad_route", `unsupported method ${request.verb} (only POST is allowed)`);
	const contentType = request.contentType.split(";", 1)[0]?.trim().toLowerCase();
	if (contentType !== "application/json" && contentType !== "application/protobuf") {
		throw new TwirpError("bad_route", "unexpected Content-Type: application/json and application/protobuf are taken");
	}
	const body = await request.body();
	const token = tokenOf(request.authorization, url.searchParams);
	if (token === "") throw new TwirpError("unauthenticated", "permissions denied");
	const verified = await verifyToken(token, apiKeys);
	if (!verified.ok) throw new TwirpError("unauthenticated", verified.message);
	const methodName = url.pathname.slice(SERVICE_PREFIX.length);
	const method = Object.hasOwn(roomService, methodName) ? roomService[methodName] : undefined;
	if (method === undefined) throw new TwirpError("bad_route", `no handler for path ${JSON.stringify(url.pathname)}`);
	const json = contentType === "application/json";
	const result = await method.call(rooms, verified.grants, decode(method.request, body, json));
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

/** Throws TwirpError for one that is too large. */
export async function readBody(request: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const chunks: Uint8Array[] = [];
	let bytes = 0;
	try {
		for await (const chunk of request) {
			bytes += chunk.length;
			if (bytes > limits.bodyBytes) throw new TwirpError("resource_exhausted", "request body is too large");
			chunks.push(chunk);
		}
	} catch (error) {
		// a client that went away is no failure of ours
		throw error instanceof TwirpError ? error : new TwirpError("canceled", "the connection was lost before the whole request was here");
	}
	return Buffer.concat(chunks);
}

function plainText(status: number, text: string): HttpReply {
	return { status, contentType: "text/plain; charset=utf-8", body: text };
}
