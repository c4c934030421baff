/** Device certificates: the account key vouches for a device's keys (spec/identity.md, Certificate). */

import { concat, Reader, u64, u8 } from "./encoding.ts";
import { MalformedError } from "./errors.ts";
import { type AccountId, asAccountId, asDeviceId, type DeviceId } from "./ids.ts";
import type { Primitives } from "./primitives.ts";
import { SIGNATURE_BYTES, verify } from "./signing.ts";
import { requireValidity } from "./validity.ts";

export const CERTIFICATE_BYTES = 194;
export const CERTIFICATE_LABEL = "device-cert";
export const MAX_CERTIFICATE_SECONDS = 365 * 86_400;
const FORMAT = 1;

/** What a device is, shown when it is linked. */
export const DeviceKind = { NATIVE: 1, WEB: 2, MOBILE: 3, BOT: 4 } as const;
export type DeviceKind = (typeof DeviceKind)[keyof typeof DeviceKind];

/** What a certificate says, before the account key has signed it. Keys are public, 32 bytes. */
export interface UnsignedCertificate {
  readonly account: AccountId;
  readonly device: DeviceId;
  /** DK_sign, Ed25519: signs pre-keys and log-ins, never a call. */
  readonly signingKey: Uint8Array;
  /** DK_dh, X25519: authenticates calls. */
  readonly agreementKey: Uint8Array;
  readonly created: number;
  readonly expires: number;
  readonly kind: DeviceKind;
}

/** An account key's statement about one device. 194 bytes on the wire. */
export interface Certificate extends UnsignedCertificate {
  readonly signature: Uint8Array;
}

/** Parses the fixed layout. Proves nothing yet: call `verifyCertificate`. Throws MalformedError. */
export function decodeCertificate(encoded: Uint8Array): Certificate {
  const reader = new Reader(encoded);
  if (reader.u8() !== FORMAT) throw new MalformedError("an unknown certificate format");
  const certificate = {
    account: asAccountId(reader.take(32)),
    device: asDeviceId(reader.take(16)),
    signingKey: reader.take(32),
    agreementKey: reader.take(32),
    created: reader.u53(),
    expires: reader.u53(),
    kind: reader.code(DeviceKind),
    signature: reader.take(SIGNATURE_BYTES),
  };
  reader.finish();
  return certificate;
}

/** Bytes 0 to 129: what the account key signs. */
export function certificateToBeSigned(certificate: UnsignedCertificate): Uint8Array {
  return concat(
    u8(FORMAT),
    certificate.account,
    certificate.device,
    certificate.signingKey,
    certificate.agreementKey,
    u64(certificate.created),
    u64(certificate.expires),
    u8(certificate.kind),
  );
}

/** The 194 bytes; `decodeCertificate` of them gives this certificate back. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  return concat(certificateToBeSigned(certificate), certificate.signature);
}

/** SHA-256 of the encoded certificate, as the device list names it. */
export async function digestCertificate(
  primitives: Primitives,
  certificate: Certificate,
): Promise<Uint8Array> {
  return primitives.sha256(encodeCertificate(certificate));
}

/**
 * Checks signature and validity period at `now` (Unix seconds, ±300 s of clock error allowed).
 *
 * Throws ForgedError, NotYetValidError or ExpiredError; VerificationError if it claims no time, or more than a
 * year.
 */
export async function verifyCertificate(
  primitives: Primitives,
  certificate: Certificate,
  now: number,
): Promise<void> {
  const message = certificateToBeSigned(certificate);
  await verify(primitives, certificate.account, CERTIFICATE_LABEL, message, certificate.signature);
  requireValidity("certificate", certificate.created, certificate.expires, MAX_CERTIFICATE_SECONDS, now);
}
