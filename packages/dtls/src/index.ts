export { DtlsAssociation } from "./association.ts";
export type { DtlsAssociationOptions } from "./association.ts";
export { type DtlsCertificate, certificateOf, newCertificate, processCertificate } from "./certificate.ts";
export { DtlsEndpoint, type DtlsEndpointOptions, type DtlsOutput } from "./endpoint.ts";
export { type Fingerprint, isUsableHash } from "./fingerprint.ts";
export { nodeCrypto } from "./node-crypto.ts";
export { DTLS_SRTP_SUITES, type DtlsSrtpKeys, type DtlsSrtpSuite, type MasterKey } from "./suites.ts";
