/** IP family of the media of a call whose peer is at this address: host, `host:port`, `[v6]` or `[v6]:port`. A name is IPv4. */
export function familyOfAddress(address: string): 4 | 6 {
	return address.startsWith("[") || address.split(":").length > 2 ? 6 : 4;
}

/** The family that an offer has (RFC 4566 §5.7); without one, that of the address that the INVITE came from. */
export function familyOfOffer(sdp: string | undefined, source: string): 4 | 6 {
	const named = /^c=IN IP([46])/m.exec(sdp ?? "")?.[1];
	return named === undefined ? familyOfAddress(source) : named === "6" ? 6 : 4;
}
