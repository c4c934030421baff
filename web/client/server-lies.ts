/** What a failed check of keys says about the server, in words for a person. */

import { HandshakeReason } from "../core/errors.ts";
import type { Username } from "../core/ids.ts";
import { type ServerWarned, ServerWarning } from "./events.ts";

const WARNINGS: Readonly<Partial<Record<HandshakeReason, ServerWarning>>> = {
  [HandshakeReason.LIST_STALE]: ServerWarning.STALE_DEVICE_LIST,
  [HandshakeReason.LIST_FORKED]: ServerWarning.FORKED_DEVICE_LIST,
  [HandshakeReason.LIST_FORGED]: ServerWarning.UNSIGNED_DEVICE_LIST,
  [HandshakeReason.DEVICE_NOT_LISTED]: ServerWarning.UNSIGNED_DEVICE_LIST,
  [HandshakeReason.CERTIFICATE_MISMATCH]: ServerWarning.UNSIGNED_DEVICE_LIST,
  [HandshakeReason.CERTIFICATE_FORGED]: ServerWarning.UNSIGNED_DEVICE_LIST,
  [HandshakeReason.WRONG_ACCOUNT]: ServerWarning.UNSIGNED_DEVICE_LIST,
  [HandshakeReason.ACCOUNT_CHANGED]: ServerWarning.UNSIGNED_DEVICE_LIST,
};

const SENTENCES: Readonly<Record<ServerWarning, string>> = {
  unsigned_device_list: "The server shows a device that the account did not sign for.",
  forked_device_list: "The server shows different people different device lists.",
  stale_device_list: "The server shows an old device list, which can hide a removed device.",
  bad_pre_keys: "The server shows keys that the device did not sign.",
  other_name: "The server shows someone you know under another name.",
};

/** What kind of lie a failed check of what the server showed amounts to. */
export function warningFor(reason: HandshakeReason): ServerWarning {
  return WARNINGS[reason] ?? ServerWarning.BAD_PRE_KEYS;
}

/** The event, with its sentence. */
export function warnOf(warning: ServerWarning, about: Username): ServerWarned {
  return { type: "server-warned", warning, about, sentence: SENTENCES[warning] };
}
