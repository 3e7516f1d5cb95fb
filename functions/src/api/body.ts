import { DomainError } from "@trunkline/domain";
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";

/** All of it. Throws DomainError when it broke off. */
export async function bodyOf(request: Request): Promise<Uint8Array> {
	try {
		return new Uint8Array(await request.arrayBuffer());
	} catch {
		throw brokeOff();
	}
}

/**
 * Around routes whose requests have at most `maxSize` bytes. They may answer before they have read the body: the rest of it is read and dropped. Left where
 * it is it would be in the way of the next request on the connection (RFC 9112 §9.3), which would wait until it is lost.
 */
export function bodyWithin(limit: Parameters<typeof bodyLimit>[0]): MiddlewareHandler {
	const limited = bodyLimit(limit);
	return async (context, next) => {
		let counted = false;
		const refusal = await limited(context, () => {
			counted = true;
			return next();
		}).catch((error: unknown) => {
			throw counted ? error : brokeOff();
		});
		if (!counted) return refusal;
		const { raw } = context.req;
		// The answer stands, whoever is there to read it.
		if (!raw.bodyUsed) await raw.body?.pipeTo(new WritableStream()).catch(() => undefined);
	};
}

/** The client's doing, and no failure of ours. */
const brokeOff = (): DomainError => new DomainError("canceled", "the connection was lost before the whole request was here");
