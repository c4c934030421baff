/**
 * Everything the client throws. The message of each is a sentence fit to show a person.
 *
 * WhispError
 * ├── ClientError
 * │   ├── NotFoundError             the one answer to every refused look-up
 * │   ├── CallError                 a ring that led to no conversation
 * │   │   ├── DeclinedError
 * │   │   ├── BusyError
 * │   │   ├── NoAnswerError
 * │   │   ├── StoppedError          this side stopped ringing
 * │   │   └── RingOverError         accepting a ring that is already over
 * │   ├── IdentityError             a check of keys failed; nothing was sent
 * │   │   ├── KeyChangedError       the account behind a name is not the one you know
 * │   │   ├── RefusedIdentityError  the server showed keys, lists or signatures that do not hold
 * │   │   └── RevokedError          this device is no longer in its account's list
 * │   ├── AccountError
 * │   │   ├── UnauthorizedError
 * │   │   ├── UsernameTakenError
 * │   │   ├── InvalidUsernameError
 * │   │   ├── NotRegisteredError    this vault holds no account yet
 * │   │   └── AlreadyRegisteredError
 * │   ├── TransportError            the network or the server, not the peer
 * │   │   ├── ServerUnreachableError
 * │   │   ├── ServerFaultError      the server answered what no server should
 * │   │   ├── VersionMismatchError
 * │   │   ├── ClockError            this clock and the server's are too far apart
 * │   │   ├── ReplacedError         a newer connection of this device took over
 * │   │   └── RateLimitedError      carries retryAfter, seconds
 * │   ├── VaultError
 * │   │   ├── WrongPassphraseError
 * │   │   ├── DamagedVaultError
 * │   │   ├── VaultExistsError
 * │   │   ├── VaultInUseError       another tab has this account open
 * │   │   └── VaultMissingError
 * │   ├── FileTransferError
 * │   ├── LockedError               the client was locked, or panicked; open it again
 * │   └── ConversationEndedError    carries the reason
 * └── LocalProtocolError, RemoteProtocolError (core/errors.ts)
 */

import { WhispError } from "../core/errors.ts";

/** Why a conversation is over. */
export const EndReason = {
  /** This side hung up. */
  HUNG_UP: "hung_up",
  PEER_HUNG_UP: "peer_hung_up",
  /** The other side locked, panicked or timed out. */
  PEER_LOCKED: "peer_locked",
  /** No sign of life for 60 seconds. */
  LOST: "lost",
  /** This client was locked, or panicked. */
  LOCKED: "locked",
  /** A device in the call was removed from its account. */
  REVOKED: "revoked",
  /** Too many frames that were not the peer's. */
  TAMPERED: "tampered",
  /** The server shows different people different device lists. */
  FORKED: "forked",
  /** The peer broke the protocol. */
  PROTOCOL: "protocol",
  /** Fresh keys did not come through for too long. */
  STALLED: "stalled",
} as const;
export type EndReason = (typeof EndReason)[keyof typeof EndReason];

/** Why a ring is over. */
export const RingEnd = {
  ACCEPTED: "accepted",
  DECLINED: "declined",
  /** The caller stopped. */
  CANCELLED: "cancelled",
  /** Another of your devices answered. */
  ELSEWHERE: "elsewhere",
  TIMED_OUT: "timed_out",
  /** The caller never proved to be live, or the line went. */
  FAILED: "failed",
} as const;
export type RingEnd = (typeof RingEnd)[keyof typeof RingEnd];

/** Why a file did not arrive whole. */
export const FileFault = {
  DECLINED: "declined",
  /** By this side. */
  CANCELLED: "cancelled",
  PEER_CANCELLED: "peer_cancelled",
  DISK_FULL: "disk_full",
  /** The source failed, or its size changed while it was sent. */
  UNREADABLE: "unreadable",
  UNWRITABLE: "unwritable",
  /** More than may be kept in memory: the offer stands, and can be accepted into a file. */
  TOO_LARGE: "too_large",
  /** A chunk was missing, doubled, forged or out of place; what had arrived was deleted. */
  DAMAGED: "damaged",
  /** The conversation ended first. */
  ENDED: "ended",
} as const;
export type FileFault = (typeof FileFault)[keyof typeof FileFault];

/** The base of everything the client throws by itself. */
export class ClientError extends WhispError {
  override readonly name: string = "ClientError";

  constructor(message = "Something went wrong.") {
    super(message);
  }
}

/** No such name, offline, or not reachable for you: the server does not say which. */
export class NotFoundError extends ClientError {
  override readonly name: string = "NotFoundError";

  constructor(message = "User not found or offline.") {
    super(message);
  }
}

/** A ring that led to no conversation. */
export class CallError extends ClientError {
  override readonly name: string = "CallError";

  constructor(message = "The call did not come about.") {
    super(message);
  }
}

/** The person said no. */
export class DeclinedError extends CallError {
  override readonly name: string = "DeclinedError";

  constructor(message = "The call was declined.") {
    super(message);
  }
}

/** The person is in another call. */
export class BusyError extends CallError {
  override readonly name: string = "BusyError";

  constructor(message = "They are in another call.") {
    super(message);
  }
}

/** Nobody answered in time. */
export class NoAnswerError extends CallError {
  override readonly name: string = "NoAnswerError";

  constructor(message = "No answer.") {
    super(message);
  }
}

/** This side stopped ringing. */
export class StoppedError extends CallError {
  override readonly name: string = "StoppedError";

  constructor(message = "You stopped the call.") {
    super(message);
  }
}

/** The ring was over before it was accepted; `reason` says how. */
export class RingOverError extends CallError {
  override readonly name: string = "RingOverError";
  readonly reason: RingEnd;

  constructor(reason: RingEnd) {
    super("That call is already over.");
    this.reason = reason;
  }
}

/** A check of keys failed; nothing was sent. */
export class IdentityError extends ClientError {
  override readonly name: string = "IdentityError";

  constructor(message = "The other side could not be identified. Nothing was sent.") {
    super(message);
  }
}

/**
 * The account key behind `username` is not the one you know. The verified mark is gone;
 * `Client.acceptNewKey` goes on with the new key.
 */
export class KeyChangedError extends IdentityError {
  override readonly name: string = "KeyChangedError";
  readonly username: string;

  constructor(username: string) {
    super(
      `The key of ${username} has changed. This can be a new account, or someone in between. ` +
        "Compare safety numbers before you go on.",
    );
    this.username = username;
  }
}

/** The server showed keys, certificates, lists or signatures that do not hold; `detail` names which. */
export class RefusedIdentityError extends IdentityError {
  override readonly name: string = "RefusedIdentityError";
  readonly detail: string;

  constructor(detail: string) {
    super(`An identity check failed: ${detail}. Nothing was sent.`);
    this.detail = detail;
  }
}

/** This device is no longer in its account's signed list. */
export class RevokedError extends IdentityError {
  override readonly name: string = "RevokedError";

  constructor(message = "This device has been removed from the account.") {
    super(message);
  }
}

/** Something about the own account. */
export class AccountError extends ClientError {
  override readonly name: string = "AccountError";

  constructor(message = "The account cannot do that.") {
    super(message);
  }
}

/** The server does not know this device, or no longer. */
export class UnauthorizedError extends AccountError {
  override readonly name: string = "UnauthorizedError";

  constructor(message = "The server does not accept this device.") {
    super(message);
  }
}

/** Someone has this name, had it, or nobody may. */
export class UsernameTakenError extends AccountError {
  override readonly name: string = "UsernameTakenError";

  constructor(message = "That username is not available.") {
    super(message);
  }
}

/** Not a legal username. */
export class InvalidUsernameError extends AccountError {
  override readonly name: string = "InvalidUsernameError";

  constructor(message = "Use 3 to 32 of a to z, 0 to 9 and hyphen.") {
    super(message);
  }
}

/** The vault holds no account; call `Client.register` first. */
export class NotRegisteredError extends AccountError {
  override readonly name: string = "NotRegisteredError";

  constructor(message = "There is no account on this device yet.") {
    super(message);
  }
}

/** The vault already holds an account. */
export class AlreadyRegisteredError extends AccountError {
  override readonly name: string = "AlreadyRegisteredError";

  constructor(message = "This device already has an account.") {
    super(message);
  }
}

/** The network or the server failed, not the peer. */
export class TransportError extends ClientError {
  override readonly name: string = "TransportError";

  constructor(message = "The connection failed.") {
    super(message);
  }
}

/** No connection to the server. */
export class ServerUnreachableError extends TransportError {
  override readonly name: string = "ServerUnreachableError";

  constructor(message = "The server cannot be reached.") {
    super(message);
  }
}

/** The server answered what no server of this protocol should. */
export class ServerFaultError extends TransportError {
  override readonly name: string = "ServerFaultError";

  constructor(message = "The server answered something unexpected.") {
    super(message);
  }
}

/** Client and server speak different major versions of the protocol. */
export class VersionMismatchError extends TransportError {
  override readonly name: string = "VersionMismatchError";

  constructor(message = "The server speaks another version of the protocol. Reload Whisp.") {
    super(message);
  }
}

/** This clock and the server's are too far apart for anything signed to hold; `seconds` it is ahead. */
export class ClockError extends TransportError {
  override readonly name: string = "ClockError";
  readonly seconds: number;

  constructor(seconds: number) {
    const side = seconds > 0 ? "ahead of" : "behind";
    super(
      `This device's clock is ${inWords(Math.abs(seconds))} ${side} the server's. ` +
        "Check the clock, then open Whisp again.",
    );
    this.seconds = seconds;
  }
}

/** A newer connection of this device took over; this one stays down until `Client.login`. */
export class ReplacedError extends TransportError {
  override readonly name: string = "ReplacedError";

  constructor(message = "This account was opened somewhere else with the same device.") {
    super(message);
  }
}

/** Too many requests; `retryAfter` is in seconds. */
export class RateLimitedError extends TransportError {
  override readonly name: string = "RateLimitedError";
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super(`Too many requests. Try again in ${Math.max(1, Math.round(retryAfter))} seconds.`);
    this.retryAfter = retryAfter;
  }
}

/** The vault cannot be opened or saved. */
export class VaultError extends ClientError {
  override readonly name: string = "VaultError";

  constructor(message = "The vault cannot be used.") {
    super(message);
  }
}

/** The passphrase does not open the vault. */
export class WrongPassphraseError extends VaultError {
  override readonly name: string = "WrongPassphraseError";

  constructor(message = "That passphrase does not open the vault.") {
    super(message);
  }
}

/** The passkey is not the one that this vault opens with. */
export class WrongPasskeyError extends VaultError {
  override readonly name: string = "WrongPasskeyError";

  constructor(message = "That passkey does not open the vault.") {
    super(message);
  }
}

/** The browser has no room left. What was kept before is still there. */
export class StorageFullError extends VaultError {
  override readonly name: string = "StorageFullError";

  constructor(message = "This browser's storage is full. Nothing was changed.") {
    super(message);
  }
}

/** What is stored is not a whole vault; no passphrase would open it. */
export class DamagedVaultError extends VaultError {
  override readonly name: string = "DamagedVaultError";

  constructor(message = "The vault in this browser is damaged.") {
    super(message);
  }
}

/** A vault is already there and is never overwritten. */
export class VaultExistsError extends VaultError {
  override readonly name: string = "VaultExistsError";

  constructor(message = "There is already a vault in this browser.") {
    super(message);
  }
}

/** Another tab has this vault open. */
export class VaultInUseError extends VaultError {
  override readonly name: string = "VaultInUseError";

  constructor(message = "Whisp is already open in another tab.") {
    super(message);
  }
}

/** There is no vault in this browser. */
export class VaultMissingError extends VaultError {
  override readonly name: string = "VaultMissingError";

  constructor(message = "There is no vault in this browser.") {
    super(message);
  }
}

const FILE_SENTENCES: Readonly<Record<FileFault, string>> = {
  declined: "The file was declined.",
  cancelled: "The transfer was cancelled.",
  peer_cancelled: "The other side cancelled the transfer.",
  disk_full: "The disk is full. What had arrived was deleted.",
  unreadable: "The file could not be read to its end.",
  unwritable: "The file could not be saved.",
  too_large: "The file is too large to keep in memory. Save it to a file instead.",
  damaged: "The file arrived damaged and was deleted.",
  ended: "The conversation ended before the file was through.",
};

/** A file did not arrive whole; nothing of it was kept. */
export class FileTransferError extends ClientError {
  override readonly name: string = "FileTransferError";
  readonly fault: FileFault;

  constructor(fault: FileFault, message: string = FILE_SENTENCES[fault]) {
    super(message);
    this.fault = fault;
  }
}

/** The client was locked or panicked: its keys are gone from memory. Open the vault again. */
export class LockedError extends ClientError {
  override readonly name: string = "LockedError";

  constructor(message = "Whisp is locked.") {
    super(message);
  }
}

/** The conversation is over; `reason` says how. */
export class ConversationEndedError extends ClientError {
  override readonly name: string = "ConversationEndedError";
  readonly reason: EndReason;

  constructor(reason: EndReason) {
    super("The conversation is over.");
    this.reason = reason;
  }
}

/** Minutes, hours or days: the largest unit that there are two of. */
function inWords(seconds: number): string {
  const minutes = seconds / 60;
  for (const [unit, size] of [
    ["days", 1440],
    ["hours", 60],
  ] as const) {
    if (minutes >= 2 * size) return `${Math.round(minutes / size)} ${unit}`;
  }
  return `${Math.round(minutes)} minutes`;
}
