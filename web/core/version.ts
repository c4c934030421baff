/** Protocol versions: equal majors talk, whatever their minors; unequal majors say so and stop. */

/** A version of the client-server protocol. */
export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** The version that this side speaks. */
export const CURRENT: Version = { major: 1, minor: 0 };

/** The version byte of the pairwise protocol (spec/handshake.md). */
export const PAIRWISE_VERSION = 1;

export const VERSION_BITMAP = 1 << (PAIRWISE_VERSION - 1);

/** Suite 1: X25519, ML-KEM-768, HKDF-SHA-256, AES-256-GCM. */
export const SUITE = 1;
export const SUITE_BITMAP = 1 << (SUITE - 1);

/** `major.minor`, as people read it. */
export function formatVersion(version: Version): string {
  return `${version.major}.${version.minor}`;
}

/** Whether two sides can talk; both then keep to the lower minor. */
export function isCompatible(one: Version, other: Version): boolean {
  return one.major === other.major;
}
