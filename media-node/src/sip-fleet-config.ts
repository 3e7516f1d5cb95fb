import * as z from "zod";
import type { SipOptions } from "./sip-options.ts";

const pem = (kind: string) => z.string().startsWith("-----BEGIN ", `must be a ${kind} in PEM`).optional();

/** Settings of SIP that a node in a container has, behind a load balancer and with secrets in its environment. */
export const SIP_FLEET_FIELDS = {
	SIP_BALANCED_TCP_PORT: z
		.string()
		.regex(/^\d{1,5}$/, "must be a port number, 1 to 65535")
		.transform(Number)
		.pipe(z.number().min(1, "must be a port number, 1 to 65535").max(65_535, "must be a port number, 1 to 65535"))
		.optional(),
	SIP_TLS_CERT: pem("certificate"),
	SIP_TLS_KEY: pem("key"),
};

/** `sip`: what the other settings say. `wrong` is one line that names a setting, and no value. */
export function sipFleetOptions(
	{ SIP_BALANCED_TCP_PORT: balancedTcpPort, SIP_TLS_CERT: cert, SIP_TLS_KEY: key }: z.infer<z.ZodObject<typeof SIP_FLEET_FIELDS>>,
	sip: Partial<SipOptions>,
): { options: Partial<SipOptions>; wrong?: string } {
	const options: Partial<SipOptions> = {
		...sip,
		...(balancedTcpPort === undefined ? {} : { balancedTcpPort }),
		...(cert === undefined || key === undefined ? {} : { tls: { ...sip.tls, pair: { cert, key } } }),
	};
	if ((cert === undefined) !== (key === undefined))
		return { options, wrong: `${cert === undefined ? "SIP_TLS_CERT" : "SIP_TLS_KEY"} must be set, because its other half is` };
	if (cert !== undefined && sip.tls?.certFile !== undefined)
		return { options, wrong: "SIP_TLS_CERT and SIP_TLS_CERT_FILE are two certificates: set one" };
	return { options };
}
