import type { Address, TlsPeer } from "@trunkline/sip";
import type { OutgoingInvite } from "../call/ports.ts";

/** A target over TLS with what the trunk says about certificates; what it leaves open stays as the resolver has it (RFC 5922 §4). */
export function withTlsOf(target: Address, tls: OutgoingInvite["tls"]): Address {
	if (target.transport !== "TLS" || tls === undefined) return target;
	const serverName = tls.serverName ?? target.tls?.serverName;
	const { minVersion, clientCertificate } = tls;
	const peer: TlsPeer = {
		...(serverName !== undefined && { serverName }),
		minVersion,
		...(clientCertificate !== null && { clientCertificate }),
	};
	return { ...target, tls: peer };
}
