/** Every size and count that both sides must agree on, each with its reason. */

/** How far two clocks may disagree: phones and small boxes drift by minutes, replays by more. */
export const MAX_CLOCK_ERROR_SECONDS = 300;

/** Devices of one account; bounds a ring's fan-out. */
export const MAX_ACTIVE_DEVICES = 16;

/** Tombstones in one device list; bounds its size. */
export const MAX_REVOKED_DEVICES = 64;

/** One-time pre-key records a device advertises at once. */
export const MAX_ONE_TIME_PRE_KEYS = 20;

/** One-time records left when a device publishes anew: a few callers may come meanwhile. */
export const LOW_PRE_KEYS = 5;

/** One relayed payload: four file chunks, large enough to amortise a frame, small enough to interleave. */
export const MAX_RELAY_PAYLOAD_BYTES = 256 * 1024;

/** One handshake message: the largest OFFER with a full device list and a long SDP stays below. */
export const MAX_SIGNAL_BYTES = 32 * 1024;

/** A session token in HELLO. */
export const MAX_TOKEN_BYTES = 1024;

/** The largest WebSocket message either side accepts. */
export const MAX_FRAME_BYTES = 1 + 16 + MAX_RELAY_PAYLOAD_BYTES;

/** One pre-key bundle; with full device lists it is about 6 KB. */
export const MAX_BUNDLE_BYTES = 8 * 1024;

/** How long a caller rings before giving up. */
export const RING_SECONDS = 45;

/** How long a call outlives the last sign of life of one side. */
export const HOLD_SECONDS = 60;
