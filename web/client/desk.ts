/** The worker's end: takes the page's commands to the client, and what happens back, as view data only. */

import { DeviceKind } from "../core/certificate.ts";
import { LocalProtocolError } from "../core/errors.ts";
import { Client } from "./client.ts";
import type { Conversation } from "./conversation.ts";
import {
  ClientError,
  ConversationEndedError,
  FileTransferError,
  KeyChangedError,
  LockedError,
  RateLimitedError,
  RefusedIdentityError,
  RingOverError,
} from "./errors.ts";
import type { ConversationEvent } from "./events.ts";
import type { FileTransfer } from "./file-transfer.ts";
import { safeName } from "./file-name.ts";
import { IncomingFile } from "./incoming-file.ts";
import {
  type AccountView,
  type CallEvent,
  type CallView,
  type Commands,
  type ContactView,
  type ErrorView,
  type FileView,
  MAX_EVENTS_UNDER_WAY,
  type PageEvent,
  type ToPage,
  type ToWorker,
} from "./messages.ts";
import { Changes } from "./outcome.ts";
import type { Contact } from "./people.ts";
import type { Platform } from "./platform.ts";
import type { Ring } from "./ring.ts";
import { RtcLink } from "./rtc/link.ts";
import { eraseVault, IndexedDbVault, type VaultPlace, vaultState } from "./vault/indexed-db.ts";
import { type Protection, wipeProtection } from "./vault/protection.ts";
import { MemoryVault } from "./vault/memory.ts";
import type { Vault } from "./vault/vault.ts";

/** Where the desk stands: a platform, and a place for the vault. */
export interface DeskParts {
  readonly platform: Platform;
  readonly place: VaultPlace;
  /** Posts to the page. */
  readonly post: (message: ToPage, transfer?: readonly ArrayBuffer[]) => void;
}

/** Each command as it is carried out here. */
type Handlers = {
  readonly [Name in keyof Commands]: (
    ...args: Parameters<Commands[Name]>
  ) => ReturnType<Commands[Name]> | Promise<ReturnType<Commands[Name]>>;
};

interface LiveCall {
  readonly conversation: Conversation;
  readonly files: Map<string, FileTransfer>;
}

/** One page's client. */
export class Desk {
  readonly #parts: DeskParts;
  readonly #server: string;
  readonly #rings = new Map<number, Ring>();
  readonly #calls = new Map<number, LiveCall>();
  readonly #taken = new Changes();
  readonly #calling = new Set<AbortController>();
  readonly #rtc: RtcLink;
  readonly #handlers = this.#makeHandlers();
  #client: Client | null = null;
  #vault: IndexedDbVault | null = null;
  #lastId = 0;
  #underWay = 0;

  /** `server` is the origin to talk to. */
  constructor(parts: DeskParts, server: string) {
    this.#rtc = new RtcLink((message, transfer) => {
      parts.post({ kind: "rtc", message }, transfer);
    });
    this.#parts = { ...parts, platform: { ...parts.platform, rtc: this.#rtc } };
    this.#server = server;
  }

  /** Takes a message from the page. Never throws: a failure is an answer. */
  async take(message: Exclude<ToWorker, { kind: "start" }>): Promise<void> {
    if (message.kind === "taken") {
      this.#underWay = Math.max(0, this.#underWay - 1);
      this.#taken.tell();
      return;
    }
    if (message.kind === "rtc") {
      this.#rtc.take(message.message);
      return;
    }
    const { id, name, args } = message;
    try {
      if (!Object.hasOwn(this.#handlers, name)) throw new LocalProtocolError("There is no such command.");
      const handler = this.#handlers[name] as (...args: readonly unknown[]) => unknown;
      this.#parts.post({ kind: "answer", id, value: await handler(...args) });
    } catch (error) {
      this.#parts.post({ kind: "failure", id, error: viewOfError(error) });
    }
  }

  /** The network changed: looks whether the line still is one. */
  nudge(): void {
    this.#client?.nudge();
  }

  #makeHandlers(): Handlers {
    return {
      vaultState: async () => vaultState(this.#parts.place),
      createVault: async (protection) =>
        this.#with(protection, async () =>
          this.#open(async () => this.#hold(await IndexedDbVault.create(this.#parts.place, protection))),
        ),
      openVault: async (protection) =>
        this.#with(protection, async () =>
          this.#open(async () => this.#hold(await IndexedDbVault.open(this.#parts.place, protection))),
        ),
      temporaryVault: async () => this.#open(() => new MemoryVault()),
      changeProtection: async (protection) => {
        const vault = this.#vault;
        if (vault === null) throw new LockedError();
        await this.#with(protection, async () => vault.changeProtection(protection));
      },
      eraseVault: async () => {
        this.#client?.panic();
        this.#client = null;
        await eraseVault(this.#parts.place);
      },

      isAvailable: async (username) => this.#live().isAvailable(username),
      register: async (username) => {
        await this.#live().register(username);
        return this.#account();
      },
      login: async () => this.#live().login(),
      logout: async () => this.#live().logout(),
      deleteAccount: async () => this.#live().deleteAccount(),
      configure: (options) => {
        this.#live().configure(options);
      },
      lockAfter: (seconds) => {
        this.#live().configure({ lockAfter: seconds });
      },
      lock: async () => this.#live().lock(),
      nudge: () => {
        this.nudge();
      },

      discover: async (username) => this.#live().discover(username),
      call: async (username) => {
        const stop = new AbortController();
        this.#calling.add(stop);
        try {
          return this.#adopt(await this.#live().call(username, { signal: stop.signal }));
        } finally {
          this.#calling.delete(stop);
        }
      },
      stopCalling: () => {
        for (const stop of this.#calling) stop.abort();
      },
      acceptRing: async (ring) => this.#adopt(await this.#ring(ring).accept()),
      declineRing: async (ring, busy) => this.#ring(ring).decline(busy),

      contacts: () => this.#live().contacts.map(viewOfContact),
      safetyNumber: async (username) => this.#live().safetyNumber(username),
      newSafetyNumber: async (username) => this.#live().newSafetyNumber(username),
      ringSafetyNumber: async (ring) => this.#ring(ring).safetyNumber(),
      verifySafetyQr: (username, scanned) => {
        this.#live().verifySafetyQr(username, scanned);
      },
      markVerified: async (username, verified) => {
        await this.#live().markVerified(username, verified);
        this.#tellContacts();
      },
      acceptNewKey: async (username) => {
        await this.#live().acceptNewKey(username);
        this.#tellContacts();
      },
      forget: async (username) => {
        await this.#live().forget(username);
        this.#tellContacts();
      },

      sendText: async (call, text, replyTo) => this.#call(call).conversation.sendText(text, replyTo),
      editText: async (call, messageId, text) => this.#call(call).conversation.editText(messageId, text),
      deleteText: async (call, messageId) => this.#call(call).conversation.deleteText(messageId),
      react: async (call, to, symbol) => this.#call(call).conversation.react(to, symbol),
      setTyping: async (call, active) => this.#call(call).conversation.setTyping(active),
      markRead: (call, messageId) => {
        this.#call(call).conversation.markRead(messageId);
      },
      sendFile: async (call, source) => {
        const { conversation, files } = this.#call(call);
        const file = await conversation.sendFile(source);
        files.set(file.id, file);
        return viewOfFile(file);
      },
      acceptFile: async (call, file, saveTo) => {
        const incoming = this.#file(call, file);
        if (!(incoming instanceof IncomingFile)) throw new LocalProtocolError("That is your own file.");
        await incoming.accept(saveTo);
      },
      declineFile: (call, file) => {
        const incoming = this.#file(call, file);
        if (incoming instanceof IncomingFile) incoming.decline();
      },
      cancelFile: (call, file) => {
        this.#file(call, file).cancel();
      },
      requestDirect: (call) => {
        this.#call(call).conversation.requestDirect();
      },
      answerDirect: (call, yes) => {
        this.#call(call).conversation.answerDirect(yes);
      },
      hangUp: async (call) => {
        await this.#calls.get(call)?.conversation.hangUp();
      },
    };
  }

  // What lives here

  #live(): Client {
    if (this.#client === null || this.#client.isLocked) throw new LockedError();
    return this.#client;
  }

  #ring(id: number): Ring {
    const ring = this.#rings.get(id);
    if (ring === undefined) throw new RingOverError("failed");
    return ring;
  }

  #call(id: number): LiveCall {
    const call = this.#calls.get(id);
    if (call === undefined) throw new ConversationEndedError("hung_up");
    return call;
  }

  #file(call: number, id: string): FileTransfer {
    const file = this.#call(call).files.get(id);
    if (file === undefined) throw new FileTransferError("ended");
    return file;
  }

  #account(): AccountView {
    const client = this.#live();
    return { username: client.isRegistered ? client.username : null, state: client.state };
  }

  /** Runs what needs a vault's secret, and wipes this thread's copy of it. */
  async #with<T>(protection: Protection, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      wipeProtection(protection);
    }
  }

  #hold(vault: IndexedDbVault): Vault {
    this.#vault = vault;
    return vault;
  }

  async #open(make: () => Vault | Promise<Vault>): Promise<AccountView> {
    if (this.#client !== null && !this.#client.isLocked) throw new LocalProtocolError("It is open already.");
    const vault = await make();
    try {
      const client = new Client(this.#parts.platform, this.#server, vault, { kind: DeviceKind.WEB });
      await client.open();
      this.#client = client;
      void this.#pumpEvents(client);
      void this.#pumpRings(client);
      return this.#account();
    } catch (error) {
      vault.forget();
      throw error;
    }
  }

  #adopt(conversation: Conversation): CallView {
    const id = ++this.#lastId;
    this.#calls.set(id, { conversation, files: new Map() });
    // the page learns of the call by the answer to its command, which is posted before the first event
    setTimeout(() => void this.#pumpCall(id, conversation), 0);
    this.#tellContacts();
    return {
      id,
      peer: conversation.peer.username,
      sessionCode: conversation.sessionCode,
      startedAt: conversation.startedAt,
      line: conversation.line,
      via: conversation.via,
      isWeb: conversation.isWeb,
    };
  }

  // What happens

  async #pumpCall(id: number, conversation: Conversation): Promise<void> {
    for await (const event of conversation) {
      await this.#post({ type: "call", call: id, event: this.#viewOfEvent(id, event) });
    }
    this.#calls.delete(id);
  }

  async #pumpEvents(client: Client): Promise<void> {
    for await (const event of client.events()) {
      await this.#post(event);
      if (event.type === "key-changed") this.#tellContacts();
    }
  }

  async #pumpRings(client: Client): Promise<void> {
    for await (const ring of client.rings()) {
      const id = ++this.#lastId;
      this.#rings.set(id, ring);
      const { caller, contact, startedAt, expiresAt } = ring;
      const isWeb = ring.peer.certificate.kind === DeviceKind.WEB;
      const known = contact === null ? null : viewOfContact(contact);
      await this.#post({
        type: "ring",
        ring: { id, caller, contact: known, isWeb, startedAt, expiresAt },
      });
      void ring.ended().then(async (end) => {
        await this.#post({ type: "ring-ended", ring: id, end });
        this.#rings.delete(id);
      });
    }
  }

  #tellContacts(): void {
    const client = this.#client;
    if (client === null || client.isLocked) return;
    void this.#post({ type: "contacts", contacts: client.contacts.map(viewOfContact) });
  }

  /** Posts an event once the page has taken enough of those before. */
  async #post(event: PageEvent): Promise<void> {
    while (this.#underWay >= MAX_EVENTS_UNDER_WAY) await this.#taken.next();
    this.#underWay += 1;
    this.#parts.post({ kind: "event", event });
  }

  #viewOfEvent(call: number, event: ConversationEvent): CallEvent {
    const files = this.#calls.get(call)?.files;
    switch (event.type) {
      case "text-received": {
        const { type, id, text, at, replyTo } = event;
        return { type, id, text, at, replyTo };
      }
      case "text-edited": {
        const { type, id, text, at } = event;
        return { type, id, text, at };
      }
      case "text-deleted":
        return { type: "text-deleted", id: event.id };
      case "reacted":
        return { type: "reacted", to: event.to, symbol: event.symbol };
      case "typing":
        return { type: "typing", active: event.active };
      case "file-offered":
        files?.set(event.file.id, event.file);
        return { type: "file-offered", file: viewOfFile(event.file) };
      case "file-completed":
      case "file-cancelled":
        files?.delete(event.fileId);
        return event;
      case "file-progress":
      case "delivered":
      case "read":
      case "undelivered":
      case "gap":
      case "line-changed":
      case "direct-requested":
      case "direct-refused":
      case "ended":
        return event;
    }
  }
}

function viewOfContact(contact: Contact): ContactView {
  const { username, verifiedAt, added, changedTo } = contact;
  return { username, verifiedAt, added, hasNewKey: changedTo !== null };
}

function viewOfFile({ id, name, size, mediaType }: FileTransfer): FileView {
  return { id, name, safeName: safeName(name), size, mediaType };
}

/** What the page may know of an error. One that is not meant for people says nothing of what it was. */
export function viewOfError(error: unknown): ErrorView {
  const isForPeople = error instanceof ClientError || error instanceof LocalProtocolError;
  const shown = isForPeople ? error : new ClientError();
  return {
    name: shown.name,
    message: shown.message,
    reason: reasonOf(error),
    retryAfter: error instanceof RateLimitedError ? error.retryAfter : null,
  };
}

function reasonOf(error: unknown): string | null {
  if (error instanceof RingOverError || error instanceof ConversationEndedError) return error.reason;
  if (error instanceof FileTransferError) return error.fault;
  if (error instanceof KeyChangedError) return error.username;
  return error instanceof RefusedIdentityError ? error.detail : null;
}
