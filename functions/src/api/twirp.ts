import type { AnyMessage, JsonObject, JsonValue, Message, MessageType } from "@bufbuild/protobuf";

/** The two encodings of a Twirp body. */
export type Encoding = "json" | "protobuf";

/** What the request's content type says; `undefined` for any other. */
export function encodingOf(contentType: string | null): Encoding | undefined {
	switch (contentType?.split(";")[0]?.trim().toLowerCase()) {
		case "application/json":
			return "json";
		case "application/protobuf":
			return "protobuf";
		default:
			return undefined;
	}
}

/** Field names in snake_case and camelCase, unknown fields ignored. Throws whatever protobuf-es throws at a body that is none. */
export function decode<T extends Message<T>>(type: MessageType<T>, body: Uint8Array, encoding: Encoding): T {
	if (encoding === "protobuf") return type.fromBinary(body);
	const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
	return type.fromJson(withoutNulls(JSON.parse(text) as JsonValue, type as unknown as MessageType<AnyMessage>), {
		ignoreUnknownFields: true,
	});
}

/** `null` is a field that is not there (protojson). protobuf-es takes it for the member of a oneof that was chosen, without a value. */
function withoutNulls(json: JsonValue, type: MessageType<AnyMessage>): JsonValue {
	if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
	const fields = new Map(type.fields.list().flatMap((field) => [field.name, field.jsonName].map((name) => [name, field] as const)));
	const given = Object.entries(json).filter(([, value]) => value !== null);
	return Object.fromEntries(
		given.map(([name, value]) => {
			const field = fields.get(name);
			if (field?.kind !== "message") return [name, value];
			return [name, Array.isArray(value) ? value.map((item) => withoutNulls(item, field.T)) : withoutNulls(value, field.T)];
		}),
	);
}

/** JSON has snake_case names and every field, set or not, as Go's protojson writes it. */
export function encode<T extends Message<T>>(message: T, encoding: Encoding): Response {
	if (encoding === "protobuf") {
		return new Response(Uint8Array.from(message.toBinary()), { headers: { "content-type": "application/protobuf" } });
	}
	const json = message.toJson({ emitDefaultValues: true, useProtoFieldName: true }) as JsonObject;
	addUnset(message as unknown as AnyMessage, json);
	return new Response(JSON.stringify(json), { headers: { "content-type": "application/json" } });
}

/** protobuf-es leaves out messages that are unset; protojson writes them as null, but for members of a oneof and `optional` fields. */
function addUnset(message: AnyMessage, json: JsonObject): void {
	for (const field of message.getType().fields.list()) {
		if (field.kind !== "message") continue;
		if (field.oneof !== undefined) {
			const member = message[field.oneof.localName] as { case?: string; value?: unknown };
			if (member.case === field.localName) descend(member.value, json[field.name]);
			continue;
		}
		const value: unknown = message[field.localName];
		if (Array.isArray(value)) {
			const list = json[field.name] as JsonValue[];
			for (const [index, item] of value.entries()) descend(item, list[index]);
		} else if (value !== undefined) descend(value, json[field.name]);
		else if (!field.opt) json[field.name] = null;
	}
}

/** Well-known types (Duration, Timestamp) are strings in JSON: nothing to add there. */
function descend(value: unknown, json: JsonValue | undefined): void {
	if (typeof json === "object" && json !== null && !Array.isArray(json)) addUnset(value as AnyMessage, json);
}
