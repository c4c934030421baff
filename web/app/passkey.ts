/**
 * Passkeys whose PRF extension makes a secret that never leaves the page: the vault's key is derived from it.
 *
 * No server takes part. The challenge is random and nobody checks the signature: what counts is the secret, which
 * only this passkey makes of the salt (WebAuthn level 3, section 10.1.4).
 */

import type { Passkeys, PasskeySecret } from "./adapter/ports.ts";

/** Names what the secret is for. A passkey gives another one for every salt. */
const SALT = "whisp vault 1";
const SECRET_BYTES = 32;
const CHALLENGE_BYTES = 32;
const TIMEOUT_MS = 120_000;
const ES256 = -7;
const ED25519 = -8;
const RS256 = -257;

/** The person or the browser did not give a passkey that can do this. */
export class PasskeyError extends Error {
  override readonly name = "PasskeyError";
}

interface PrfResults {
  readonly prf?: { readonly enabled?: boolean; readonly results?: { readonly first?: BufferSource } };
}

/** Passkeys of this browser. `container` is null where there are none. */
export function browserPasskeys(container: CredentialsContainer | null): Passkeys {
  return {
    async isOffered() {
      if (container === null || typeof PublicKeyCredential === "undefined") return false;
      const known = await capabilities();
      if (known !== null) return known["extension:prf"] === true;
      return PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable();
    },
    async create(account) {
      const user = new TextEncoder().encode(account);
      const made = await ask(container, async (there) =>
        there.create({
          publicKey: {
            rp: { name: "Whisp" },
            user: { id: crypto.getRandomValues(new Uint8Array(16)), name: account, displayName: account },
            challenge: crypto.getRandomValues(new Uint8Array(CHALLENGE_BYTES)),
            pubKeyCredParams: [ED25519, ES256, RS256].map((alg) => ({ type: "public-key", alg })),
            authenticatorSelection: { residentKey: "discouraged", userVerification: "required" },
            attestation: "none",
            timeout: TIMEOUT_MS,
            extensions: { prf: { eval: { first: salt() } } },
          },
        }),
      );
      user.fill(0);
      const credential = new Uint8Array(made.rawId);
      const { prf } = made.getClientExtensionResults() as PrfResults;
      const secret = secretOf(prf?.results?.first);
      if (secret !== null) return { credential, secret };
      if (prf?.enabled !== true) throw new PasskeyError("This passkey makes no secrets.");
      return get(container, credential); // some make it only when they are used
    },
    async get(credential) {
      return get(container, credential);
    },
  };
}

async function get(container: CredentialsContainer | null, credential: Uint8Array): Promise<PasskeySecret> {
  const id = credential.slice();
  const used = await ask(container, async (there) =>
    there.get({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(CHALLENGE_BYTES)),
        allowCredentials: [{ type: "public-key", id }],
        userVerification: "required",
        timeout: TIMEOUT_MS,
        extensions: { prf: { eval: { first: salt() } } },
      },
    }),
  );
  const { prf } = used.getClientExtensionResults() as PrfResults;
  const secret = secretOf(prf?.results?.first);
  if (secret === null) throw new PasskeyError("This passkey made no secret.");
  return { credential: id, secret };
}

async function ask(
  container: CredentialsContainer | null,
  request: (there: CredentialsContainer) => Promise<Credential | null>,
): Promise<PublicKeyCredential> {
  if (container === null) throw new PasskeyError("There are no passkeys here.");
  let credential: Credential | null;
  try {
    credential = await request(container);
  } catch {
    throw new PasskeyError("No passkey was given.");
  }
  if (credential === null) throw new PasskeyError("No passkey was given.");
  return credential as PublicKeyCredential;
}

async function capabilities(): Promise<Readonly<Record<string, boolean>> | null> {
  const ask = (PublicKeyCredential as { getClientCapabilities?: () => Promise<Record<string, boolean>> })
    .getClientCapabilities;
  if (ask === undefined) return null;
  try {
    return await ask.call(PublicKeyCredential);
  } catch {
    return null;
  }
}

function salt(): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(SALT);
}

function secretOf(source: BufferSource | undefined): Uint8Array | null {
  if (source === undefined) return null;
  const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : null;
  const secret = bytes ?? new Uint8Array((source as ArrayBufferView).buffer).slice();
  return secret.length === SECRET_BYTES ? secret : null;
}
