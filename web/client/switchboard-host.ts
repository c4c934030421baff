/** Around the switchboard: what it needs of its client. */

import type { LocalDevice } from "../core/identity.ts";
import type { CallId, Username } from "../core/ids.ts";
import type { PreKeyStore } from "../core/prekeys.ts";
import type { ContactBook } from "./contact-book.ts";
import type { ConversationHost } from "./conversation-host.ts";
import type { ClientEvent } from "./events.ts";
import type { Ring } from "./ring.ts";
import type { IceServers, RtcPort } from "./rtc/port.ts";

/** What the switchboard needs of its client. */
export interface SwitchboardHost extends ConversationHost {
  /** Whether rings are declined as busy while a conversation lives. */
  readonly autoBusy: boolean;
  /** The contacts, and what is remembered of their accounts. */
  readonly book: ContactBook;
  /** The own device, with its newest list. Throws LockedError, NotRegisteredError. */
  readonly local: LocalDevice;
  /** The private halves of what is advertised. Throws LockedError. */
  readonly prekeys: PreKeyStore;
  /** The own name. */
  readonly username: Username;
  /** Tells the application. */
  tell(event: ClientEvent): void;
  /** The contact book changed. */
  saveSoon(): void;
  /** Tells the application of a ring. */
  ringCame(ring: Ring): void;
  /** The server has this device's pre-keys: it delivers rings. */
  preKeysTaken(): void;
  /** Someone has seen a newer list of this account: fetch it. */
  ownListIsBehind(): void;
  /** A certificate for one call, null where there is no WebRTC. */
  prepareRtc(): Promise<RtcPort | null>;
  /** TURN credentials for a call, null where the server has none. Throws ClientError. */
  turnCredentials(callId: CallId): Promise<IceServers | null>;
  /** Runs something in the background; what it throws ends up nowhere. */
  spawn(work: Promise<void>): void;
}
