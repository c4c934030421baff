/** Codes that peers and programs act on: WebSocket close codes and HTTP error codes (spec/errors.md). */

/** Why a WebSocket closed. 4000 and up are ours (RFC 6455 section 7.4.2). */
export const CloseCode = {
  NORMAL: 1000,
  TOO_BIG: 1009,
  RESTART: 1012,
  /** A frame that is not of the protocol. */
  PROTOCOL: 4000,
  /** The majors differ; the reason names the server's version. */
  VERSION: 4001,
  /** No valid token within the time for HELLO. */
  UNAUTHORIZED: 4002,
  /** This device or account is gone. */
  REVOKED: 4003,
  /** A newer connection of this device took over. */
  REPLACED: 4004,
  /** Too many frames to calls that are not this device's. */
  STRAY: 4006,
  /** More frames than any use needs. */
  FLOOD: 4007,
  /** It did not read what was sent to it. */
  SLOW: 4008,
  /** Too many connections, in all or from one address. */
  BUSY: 4009,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** The `error` of an HTTP answer that is not 2xx. */
export const ErrorCode = {
  BAD_REQUEST: "bad_request",
  UNAUTHORIZED: "unauthorized",
  FORBIDDEN: "forbidden",
  NOT_FOUND: "not_found",
  METHOD_NOT_ALLOWED: "method_not_allowed",
  USERNAME_TAKEN: "username_taken",
  BAD_USERNAME: "bad_username",
  CONFLICT: "conflict",
  TOO_LARGE: "too_large",
  TOO_MANY_REQUESTS: "too_many_requests",
  UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
  /** The Host header names another server. */
  MISDIRECTED: "misdirected",
  UNAVAILABLE: "unavailable",
  INTERNAL: "internal",
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];
