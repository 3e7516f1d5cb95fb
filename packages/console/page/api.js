// Everything that the page asks the API. Whoever is signed in has either an API key with its secret (tokens are made here, as LiveKit's SDKs make
// them) or one token. Both stay in this tab.

const STORE = "trunkline.session";
const TOKEN_SECONDS = 600;

let config = { callMe: false };
let session;

export class ApiError extends Error {
	constructor(status, code, message, field) {
		super(message);
		this.status = status;
		this.code = code;
		this.field = field;
	}
}

/** Reads what the server says of itself, and whoever was signed in here before. */
export async function begin() {
	const response = await fetch("config.json");
	if (response.ok) config = await response.json();
	const kept = sessionStorage.getItem(STORE);
	if (kept !== null) session = JSON.parse(kept);
	else if (config.keys !== undefined && canSign()) session = { key: config.keys.apiKey, secret: config.keys.apiSecret };
	return session !== undefined;
}

export const settings = () => config;
export const isSignedIn = () => session !== undefined;
/** Rooms are joined with tokens that are made for them: a lone token of the API is not one. */
export const canJoinRooms = () => session?.secret !== undefined;
export const canSign = () => globalThis.crypto?.subtle !== undefined;

/** Throws ApiError when the API does not take these. */
export async function signIn(next) {
	const before = session;
	session = next;
	try {
		await get("/v1/calls?limit=1");
	} catch (error) {
		session = before;
		throw error;
	}
	sessionStorage.setItem(STORE, JSON.stringify(next));
}

export function signOut() {
	session = undefined;
	sessionStorage.removeItem(STORE);
}

/** Where rooms are joined. */
export function roomUrl() {
	return config.roomUrl ?? location.origin.replace(/^http/, "ws");
}

/** A token with these of LiveKit's video grants, beside the right to everything of SIP. */
export async function tokenFor(video = {}, identity = "console", extra = {}) {
	if (session?.token !== undefined) return session.token;
	if (session === undefined) throw new ApiError(401, "unauthenticated", "nobody is signed in");
	const now = Math.floor(Date.now() / 1000);
	const claims = {
		iss: session.key,
		sub: identity,
		nbf: now - 10,
		exp: now + TOKEN_SECONDS,
		video,
		sip: { admin: true, call: true },
		...extra,
	};
	const text = `${base64(utf8(JSON.stringify({ alg: "HS256", typ: "JWT" })))}.${base64(utf8(JSON.stringify(claims)))}`;
	const key = await crypto.subtle.importKey("raw", utf8(session.secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
	return `${text}.${base64(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(text))))}`;
}

const utf8 = (text) => new TextEncoder().encode(text);
const base64 = (bytes) =>
	btoa(String.fromCharCode(...bytes))
		.replaceAll("+", "-")
		.replaceAll("/", "_")
		.replaceAll("=", "");

export const get = (path) => request("GET", path);
export const put = (path, body) => request("PUT", path, body);
export const post = (path, body = {}) => request("POST", path, body);
export const remove = (path) => request("DELETE", path);

/** A method of `livekit.SIP`. */
export const sip = (method, body = {}, video = {}) => request("POST", `/twirp/livekit.SIP/${method}`, body, video);
export const rooms = (method, body, video) => request("POST", `/twirp/livekit.RoomService/${method}`, body, video);

async function request(method, path, body, video = {}) {
	const headers = { authorization: `Bearer ${await tokenFor(video)}` };
	if (body !== undefined) headers["content-type"] = "application/json";
	let response;
	try {
		response = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
	} catch {
		throw new ApiError(0, "unreachable", "The API cannot be reached. Is it running, and is this computer online?");
	}
	const text = await response.text();
	const answer = parsed(text);
	if (response.ok) return answer;
	throw new ApiError(
		response.status,
		answer?.code ?? "error",
		answer?.message ?? answer?.msg ?? (text || `HTTP ${response.status}`),
		answer?.field ?? answer?.meta?.field,
	);
}

function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** A file of the API, saved by the browser. */
export async function download(path, name) {
	const response = await fetch(path, { headers: { authorization: `Bearer ${await tokenFor()}` } });
	if (!response.ok) throw new ApiError(response.status, "error", parsed(await response.text())?.message ?? `HTTP ${response.status}`);
	const link = document.createElement("a");
	link.href = URL.createObjectURL(await response.blob());
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
