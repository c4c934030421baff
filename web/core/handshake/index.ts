/**
 * Three flights that make a call of a bundle: OFFER, ANSWER, CONFIRM (spec/handshake.md).
 *
 * Each state is a type, and gives way to the next only after everything about a message was verified:
 *
 *     placeOffer -> OfferedCall --receiveAnswer--> ConfirmedCall.confirm -> SessionSecrets
 *     receiveOffer -> IncomingCall --accept--> AnsweredCall --receiveConfirm--> SessionSecrets
 */

export {
  AnsweredCall,
  CONFIRM_WAIT_SECONDS,
  type Established,
  IncomingCall,
  type PinnedLookup,
  receiveOffer,
} from "./callee.ts";
export {
  ConfirmedCall,
  OfferedCall,
  placeOffer,
  type Proposal,
  type VerifiedBundle,
  verifyBundle,
} from "./caller.ts";
export { localWinsGlare, MAX_INVALID_ANSWERS, verifyFingerprint } from "./checks.ts";
export {
  CallFlags,
  CancelReason,
  DeclineReason,
  ListView,
  MAX_TRANSPORT_BYTES,
  NO_FINGERPRINT,
} from "./payloads.ts";
export { Exporter, PqChainKey, PqRootKey, Role, RootKey, SessionSecrets } from "./session-secrets.ts";
