/** The seam between a session and what encrypts its messages. */

/** What a session needs of a ratchet; `Ratchet` (core/ratchet.ts) is the one. All times are seconds. */
export interface MessageRatchet {
  /** Whether `encrypt` may be called: a responder first has to read a message. */
  readonly canSend: boolean;

  /** The next message's frame. Throws RatchetEndedError when it cannot go on. */
  encrypt(paddedPlaintext: Uint8Array, now: number): Promise<Uint8Array>;

  /**
   * A frame's padded plaintext. Throws MalformedError and DecryptionError (both changing nothing but a count),
   * MessageKeyGoneError for a repeated or late frame, and RatchetEndedError when it cannot go on.
   */
  decrypt(frame: Uint8Array, now: number): Promise<Uint8Array>;

  /** Whether a message has to be sent only to carry a step of the ratchet. */
  owesMessage(now: number): boolean;

  /** When to call `owesMessage` and `expire` again, null for never. */
  nextDeadline(now: number): number | null;

  /** Drops keys that have reached their age. */
  expire(now: number): void;

  /** Drops all keys; also safe while an operation waits, which then throws SessionEndedError. */
  wipe(): void;
}
