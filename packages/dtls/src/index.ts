export { DtlsAssociation } from "./association.ts";
export type { DtlsAssociationOptions } from "./association.ts";
export { type DtlsCertificate, newCertificate, processCertificate } from "./certificate.ts";
export { type Fingerprint, isUsableHash } from "./fingerprint.ts";
export { guardHandshake, type HandshakeGuardOptions } from "./guard.ts";
export { DTLS_SRTP_SUITES, type DtlsSrtpKeys, type DtlsSrtpSuite, type MasterKey } from "./suites.ts";
