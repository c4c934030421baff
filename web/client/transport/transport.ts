/** What a conversation needs of the way its frames take. */

/** Takes one frame that arrived, synchronously and in order. */
export type FrameHandler = (frame: Uint8Array) => void;

/**
 * Carries sealed frames to the other member. It keeps order, and may lose all that was under way.
 *
 * It cannot stop reading: no API of a browser can. A conversation whose application is behind leaves frames unread
 * in a bounded queue, and an honest peer waits for confirmations that do not come.
 */
export interface Transport {
  /**
   * Queues one frame of up to MAX_RELAY_PAYLOAD_BYTES. Does nothing once closed. With `isGiven` nobody else holds the
   * frame's memory, which spans nothing else, and it may be passed on.
   */
  send(frame: Uint8Array, isGiven?: boolean): void;

  /** Whether `drain` would wait. */
  readonly isFull: boolean;

  /** Waits while too much is queued; returns at once when closed. */
  drain(): Promise<void>;

  /** Closes it; what is queued may still leave. */
  close(): void;
}
