/** Where a peer may make this device knock: not at services of its own machine, and at no address that no peer has. */

import { type IceCandidate, RtcPolicy } from "../../core/content/index.ts";

const LOWEST_PORT = 1024;

/**
 * Whether packets may go to a candidate of the peer; `withLoopback`: it may be on this very machine. Names in place
 * of addresses (mDNS) are asked for under policy 2 only. The Python client has the same rule.
 */
export function mayKnockAt(
  { address, port }: IceCandidate,
  policy: RtcPolicy,
  withLoopback: boolean,
): boolean {
  if (address.length !== 4 && address.length !== 16) return policy === RtcPolicy.ALL;
  if (port < LOWEST_PORT) return false;
  if (address.length === 4 ? address[0] === 127 : isLoopback6(address)) return withLoopback;
  return address.length === 4 ? !isOdd4(address) : isOrdinary6(address);
}

function isLoopback6(address: Uint8Array): boolean {
  return address.every((byte, place) => byte === (place === 15 ? 1 : 0));
}

/** Unspecified, link-local, multicast or reserved (RFC 6890). */
function isOdd4(address: Uint8Array): boolean {
  const [first = 0, second = 0] = address;
  return first >= 224 || (first === 169 && second === 254) || address.every((byte) => byte === 0);
}

/** Global unicast, unique local or the former site-local; mapped IPv4 addresses and all the rest are not (RFC 4291). */
function isOrdinary6(address: Uint8Array): boolean {
  const [first = 0, second = 0] = address;
  const isGlobal = first >> 5 === 0b001;
  const isLocal = first >> 1 === 0b1111_110 || (first === 0xfe && second >= 0xc0);
  return isGlobal || isLocal;
}
