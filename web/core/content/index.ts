/**
 * What people and their programs say to each other: the plaintext inside every ratchet message.
 *
 * Content = type u8 ‖ number u32 ‖ body (spec/content.md). Counted contents carry 1, 2, 3 … and are delivered
 * in that order or declared lost; uncounted ones carry 0, may vanish, and harm nothing when they do. Strings
 * are data as the sender wrote them: whoever shows them makes them safe first.
 */

export { MAX_REACTION_BYTES, type Reaction, type TextDelete, type TextEdit } from "./changes.ts";
export {
  type Content,
  CONTENT_HEADER_BYTES,
  decodeBody,
  decodeContent,
  decodeHead,
  encodeContent,
  isCounted,
  type Unknown,
} from "./codec.ts";
export { ContentType, MAX_NUMBER } from "./fields.ts";
export {
  type FileAck,
  type FileCancel,
  FileCancelReason,
  type FileDone,
  type FileOffer,
  type FileRequest,
  MAX_FILE_BYTES,
  MAX_MEDIA_TYPE_BYTES,
  MAX_NAME_BYTES,
} from "./files.ts";
export {
  type Address,
  type Bye,
  ByeReason,
  type DirectConsent,
  type Heartbeat,
  LINE_TOKEN_BYTES,
  type LineAnswer,
  type LineOffer,
  type ListReport,
  type ListUpdate,
  MAX_HOLES,
  MAX_LINE_ADDRESSES,
  type Resume,
} from "./line.ts";
export {
  Author,
  MAX_LOST_RUNS,
  MAX_TEXT_BYTES,
  type MessageReference,
  type Receipt,
  ReceiptKind,
  type Run,
  type Text,
  type Typing,
} from "./messages.ts";
export {
  CandidateKind,
  type IceCandidate,
  MAX_CANDIDATES_AT_ONCE,
  MAX_PWD_LENGTH,
  MAX_UFRAG_LENGTH,
  MDNS_NAME_BYTES,
  MIN_PWD_LENGTH,
  MIN_UFRAG_LENGTH,
  type RtcAnswer,
  type RtcCandidates,
  type RtcClose,
  RtcCloseReason,
  type RtcOffer,
  RtcPolicy,
} from "./rtc.ts";
