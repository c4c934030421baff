/** Around a conversation: what it needs of its client, and why it can end. */

import { ByeReason, type ListUpdate } from "../core/content/index.ts";
import { decodeDeviceList, type DeviceList, listedCertificateDigest } from "../core/device-list.ts";
import { HandshakeError } from "../core/errors.ts";
import { EndReason as CoreEnd } from "../core/events.ts";
import type { Primitives } from "../core/primitives.ts";
import type { HeldList } from "../core/session.ts";
import type { Clock } from "./clock.ts";
import type { Conversation } from "./conversation.ts";
import { EndReason } from "./errors.ts";
import type { MemoryBudget } from "./file-target.ts";
import type { Member } from "./people.ts";
import type { RtcTerms } from "./rtc/line.ts";
import type { IceServers } from "./rtc/port.ts";

export const REASONS: Readonly<Record<CoreEnd, EndReason>> = {
  [CoreEnd.HUNG_UP]: EndReason.HUNG_UP,
  [CoreEnd.PEER_LEFT]: EndReason.PEER_HUNG_UP,
  [CoreEnd.LOST]: EndReason.LOST,
  [CoreEnd.TAMPERED]: EndReason.TAMPERED,
  [CoreEnd.PROTOCOL]: EndReason.PROTOCOL,
  [CoreEnd.PQ_STALLED]: EndReason.STALLED,
  [CoreEnd.EXHAUSTED]: EndReason.STALLED,
  [CoreEnd.REVOKED]: EndReason.REVOKED,
  [CoreEnd.FORKED]: EndReason.FORKED,
  [CoreEnd.WIPED]: EndReason.LOCKED,
};

/** What the peer's goodbye says. */
export const BYES: Readonly<Record<ByeReason, EndReason>> = {
  [ByeReason.OTHER]: EndReason.PEER_HUNG_UP,
  [ByeReason.HUNG_UP]: EndReason.PEER_HUNG_UP,
  [ByeReason.LOCKED]: EndReason.PEER_LOCKED,
  [ByeReason.IDLE]: EndReason.PEER_LOCKED,
  [ByeReason.REVOKED]: EndReason.REVOKED,
  [ByeReason.PROTOCOL]: EndReason.PROTOCOL,
};

/** What the handshake of a call settled about its lines. */
export interface CallTerms {
  /** Whether the peer's device is a web page. */
  readonly isWeb: boolean;
  /** Both sides' certificates, null unless both speak WebRTC. */
  readonly rtc: RtcTerms | null;
  /** TURN credentials for this call, null where the server has none. Throws ClientError. */
  readonly turnCredentials: () => Promise<IceServers | null>;
}

/** What a conversation needs of its client. */
export interface ConversationHost {
  readonly primitives: Primitives;
  readonly clock: Clock;
  /** Whether senders are told that a message was read. */
  readonly receipts: boolean;
  /** Whether this side consents to a direct line without being asked. */
  readonly allowDirect: boolean;
  /** Whether peers can be on this very machine: the server is. */
  readonly mayUseLoopback: boolean;
  /** What all files in memory together may take. */
  readonly memory: MemoryBudget;
  /** It ended: leave the call. */
  conversationOver(conversation: Conversation): void;
  /** Checks a device list the peer sent; remembers it. Throws HandshakeError. */
  peerListShown(peer: Member, shown: DeviceList): Promise<HeldList>;
  /** Compares what the peer was shown as this account's list. */
  ownListReported(conversation: Conversation, version: number, digest: Uint8Array): Promise<void>;
  /** A person did something, here or there. */
  touched(): void;
}

/**
 * Checks a list that the peer showed of its account: gives what to remember of it, or why to leave.
 * Throws MalformedError.
 */
export async function takePeerList(
  host: ConversationHost,
  peer: Member,
  update: ListUpdate,
): Promise<
  { readonly held: HeldList } | { readonly leave: typeof EndReason.REVOKED | typeof EndReason.FORKED }
> {
  const shown = decodeDeviceList(update.deviceList);
  try {
    const held = await host.peerListShown(peer, shown);
    const isListed = listedCertificateDigest(shown, peer.device) !== null;
    return isListed ? { held } : { leave: EndReason.REVOKED };
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error;
    return { leave: EndReason.FORKED };
  }
}
