/** WebSocket messages between a client and the server: binary, one type byte first (spec/signalling.md). */

import { ascii, concat, fromAscii, lp16, parseCode, Reader, u8 } from "./encoding.ts";
import { MalformedError } from "./errors.ts";
import {
  asCallId,
  asDeviceId,
  asRouteId,
  type CallId,
  type DeviceId,
  type RouteId,
  type Username,
} from "./ids.ts";
import {
  MAX_FRAME_BYTES,
  MAX_ONE_TIME_PRE_KEYS,
  MAX_RELAY_PAYLOAD_BYTES,
  MAX_SIGNAL_BYTES,
  MAX_TOKEN_BYTES,
} from "./limits.ts";
import { PRE_KEY_BYTES } from "./prekey.ts";
import { SecretState } from "./secret.ts";
import { canonical } from "./username.ts";
import type { Version } from "./version.ts";

export const RELAY_HEADER_BYTES = 17;
const MAX_USERNAME_BYTES = 32;

/** First byte of every WebSocket message. */
export const FrameType = {
  HELLO: 0x01,
  WELCOME: 0x02,
  PRE_KEYS: 0x03,
  PRE_KEYS_LEFT: 0x04,
  RELAY: 0x20,
  SIGNAL: 0x21,
  RING: 0x22,
  ROUTE: 0x23,
  LINE: 0x24,
  HANG_UP: 0x25,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** What the server knows of the other end of a call. */
export const LineState = {
  /** Its socket is connected. */
  UP: 1,
  /** Its socket is gone; the call is held for 60 s. */
  DOWN: 2,
  /** It hung up, or the hold ran out. The routes are dead. */
  ENDED: 3,
} as const;
export type LineState = (typeof LineState)[keyof typeof LineState];

/** A session token: whoever has it is logged in. It never shows. */
export class SessionToken extends SecretState {
  readonly kind = "SessionToken";
  readonly #token: string;

  constructor(token: string) {
    super();
    this.#token = token;
  }

  /** The token, for HELLO and `Authorization` only. */
  expose(): string {
    return this.#token;
  }
}

/**
 * Client to server, the first frame within 5 s: who I am and what I speak. The token travels here so that it
 * stays out of URLs.
 */
export interface Hello {
  readonly type: typeof FrameType.HELLO;
  readonly version: Version;
  readonly token: SessionToken;
}

/** Server to client: you are online from now on. Both keep to the lower minor version. */
export interface Welcome {
  readonly type: typeof FrameType.WELCOME;
  readonly version: Version;
}

/** Client to server: replaces all pre-keys this device advertises; one signed, then one-time records. */
export interface PreKeys {
  readonly type: typeof FrameType.PRE_KEYS;
  /** Encoded, 1326 bytes each. */
  readonly records: readonly Uint8Array[];
}

/** Server to client: the device can be rung, and so many of its one-time records remain. */
export interface PreKeysLeft {
  readonly type: typeof FrameType.PRE_KEYS_LEFT;
  readonly count: number;
}

/** A handshake message. From a client `device` is the recipient; from the server it is the sender. */
export interface Signalled {
  readonly type: typeof FrameType.SIGNAL;
  readonly device: DeviceId;
  readonly signal: Uint8Array;
}

/** Server to client: an OFFER, with the sending device and the name the server knows it by. */
export interface Ring {
  readonly type: typeof FrameType.RING;
  readonly device: DeviceId;
  readonly username: Username;
  readonly offer: Uint8Array;
}

/** Server to client: both sides accepted; relay frames to `device` go to `route`. */
export interface Route {
  readonly type: typeof FrameType.ROUTE;
  readonly callId: CallId;
  readonly device: DeviceId;
  readonly route: RouteId;
}

/** Server to client: what it knows of `device`'s end of a call. A hint only; BYE is the proof. */
export interface LineStatus {
  readonly type: typeof FrameType.LINE;
  readonly callId: CallId;
  readonly device: DeviceId;
  readonly state: LineState;
}

/** Client to server: this device leaves the call; its routes die at once. */
export interface HangUp {
  readonly type: typeof FrameType.HANG_UP;
  readonly callId: CallId;
}

/** Ciphertext along a route. To the server `route` names the way out; to the client, the way it came. */
export interface Relay {
  readonly type: typeof FrameType.RELAY;
  readonly route: RouteId;
  readonly payload: Uint8Array;
}

export type ClientFrame = Hello | PreKeys | Signalled | HangUp | Relay;
export type ServerFrame = Welcome | PreKeysLeft | Signalled | Ring | Route | LineStatus | Relay;
export type Frame = ClientFrame | ServerFrame;

const CLIENT_TYPES: ReadonlySet<FrameType> = new Set([
  FrameType.HELLO,
  FrameType.PRE_KEYS,
  FrameType.SIGNAL,
  FrameType.HANG_UP,
  FrameType.RELAY,
]);
const SERVER_TYPES: ReadonlySet<FrameType> = new Set([
  FrameType.WELCOME,
  FrameType.PRE_KEYS_LEFT,
  FrameType.SIGNAL,
  FrameType.RING,
  FrameType.ROUTE,
  FrameType.LINE,
  FrameType.RELAY,
]);

/** The bytes on the wire; decoding them gives this frame back. */
export function encodeFrame(frame: Frame): Uint8Array {
  const type = u8(frame.type);
  switch (frame.type) {
    case FrameType.HELLO:
      return concat(type, encodeVersion(frame.version), lp16(ascii(frame.token.expose())));
    case FrameType.WELCOME:
      return concat(type, encodeVersion(frame.version));
    case FrameType.PRE_KEYS:
      return concat(type, u8(frame.records.length), ...frame.records);
    case FrameType.PRE_KEYS_LEFT:
      return concat(type, u8(frame.count));
    case FrameType.SIGNAL:
      return concat(type, frame.device, frame.signal);
    case FrameType.RING:
      return concat(type, frame.device, lp16(ascii(frame.username)), frame.offer);
    case FrameType.ROUTE:
      return concat(type, frame.callId, frame.device, frame.route);
    case FrameType.LINE:
      return concat(type, frame.callId, frame.device, u8(frame.state));
    case FrameType.HANG_UP:
      return concat(type, frame.callId);
    case FrameType.RELAY:
      return concat(type, frame.route, frame.payload);
  }
}

/** Parses what a client may send. Throws MalformedError. */
export function decodeClientFrame(encoded: Uint8Array): ClientFrame {
  return decode(encoded, CLIENT_TYPES) as ClientFrame; // a frame's type is one of those asked for
}

/** Parses what the server may send. Throws MalformedError. */
export function decodeServerFrame(encoded: Uint8Array): ServerFrame {
  return decode(encoded, SERVER_TYPES) as ServerFrame; // as above
}

function decode(encoded: Uint8Array, types: ReadonlySet<FrameType>): Frame {
  if (encoded.length > MAX_FRAME_BYTES) throw new MalformedError("a frame over its size limit");
  const reader = new Reader(encoded);
  const type = parseCode(FrameType, reader.u8());
  if (!types.has(type)) throw new MalformedError("a frame that this side does not send");
  const frame = read(type, reader);
  reader.finish();
  return frame;
}

function read(type: FrameType, reader: Reader): Frame {
  switch (type) {
    case FrameType.HELLO:
      return {
        type,
        version: readVersion(reader),
        token: new SessionToken(fromAscii(reader.lp16(MAX_TOKEN_BYTES))),
      };
    case FrameType.WELCOME:
      return { type, version: readVersion(reader) };
    case FrameType.PRE_KEYS: {
      const count = reader.u8();
      if (count < 1 || count > 1 + MAX_ONE_TIME_PRE_KEYS) {
        throw new MalformedError("none or too many pre-keys");
      }
      return { type, records: Array.from({ length: count }, () => reader.take(PRE_KEY_BYTES)) };
    }
    case FrameType.PRE_KEYS_LEFT:
      return { type, count: reader.u8() };
    case FrameType.SIGNAL:
      return { type, device: asDeviceId(reader.take(16)), signal: readSignal(reader) };
    case FrameType.RING:
      return {
        type,
        device: asDeviceId(reader.take(16)),
        username: readUsername(reader),
        offer: readSignal(reader),
      };
    case FrameType.ROUTE:
      return {
        type,
        callId: asCallId(reader.take(16)),
        device: asDeviceId(reader.take(16)),
        route: asRouteId(reader.take(16)),
      };
    case FrameType.LINE:
      return {
        type,
        callId: asCallId(reader.take(16)),
        device: asDeviceId(reader.take(16)),
        state: reader.code(LineState),
      };
    case FrameType.HANG_UP:
      return { type, callId: asCallId(reader.take(16)) };
    case FrameType.RELAY: {
      const route = asRouteId(reader.take(16));
      const payload = reader.rest();
      if (payload.length === 0 || payload.length > MAX_RELAY_PAYLOAD_BYTES) {
        throw new MalformedError("an empty or oversized relay payload");
      }
      return { type, route, payload };
    }
  }
}

function readVersion(reader: Reader): Version {
  return { major: reader.u8(), minor: reader.u8() };
}

function encodeVersion(version: Version): Uint8Array {
  return concat(u8(version.major), u8(version.minor));
}

function readUsername(reader: Reader): Username {
  const name = fromAscii(reader.lp16(MAX_USERNAME_BYTES));
  const username = canonical(name);
  if (username !== name) throw new MalformedError("a username that is not in its canonical form");
  return username;
}

function readSignal(reader: Reader): Uint8Array {
  const signal = reader.rest();
  if (signal.length === 0 || signal.length > MAX_SIGNAL_BYTES) {
    throw new MalformedError("an empty or oversized signal");
  }
  return signal;
}
