/** The source of the real app: a client in a worker, seen as views. The gallery has another. */

import type { PageEvent } from "../../client/messages.ts";
import type { Actions, AppView, SettingsView, Source } from "../models.ts";
import { openingView } from "../source.ts";
import { Calling } from "./calling.ts";
import { Comparing } from "./comparing.ts";
import { isOpen, Opening } from "./opening.ts";
import type { Ports } from "./ports.ts";
import { Stand } from "./stand.ts";

/** One person's client. `open` begins. */
export class ClientSource implements Source {
  readonly actions: Actions;
  readonly #stand: Stand;
  readonly #opening: Opening;
  readonly #calling: Calling;
  readonly #comparing: Comparing;

  constructor(ports: Ports) {
    this.#stand = new Stand(ports, openingView(ports.host, ports.memory.settings()));
    this.#calling = new Calling(this.#stand);
    this.#comparing = new Comparing(this.#stand, this.#calling);
    this.#opening = new Opening(this.#stand, () => {
      this.#configure();
      void this.#calling.opened();
    });
    this.#stand.listen((event) => {
      this.#receive(event);
    });
    this.actions = this.#makeActions();
  }

  view(): AppView {
    return this.#stand.view;
  }

  subscribe(changed: () => void): () => void {
    return this.#stand.subscribe(changed);
  }

  /** Starts the worker and looks for a vault. */
  async open(): Promise<void> {
    await this.#opening.start();
  }

  /** A newer build waits for the next load. */
  noteUpdate(): void {
    this.#stand.show({ updated: true });
  }

  /** The device's network came or went. */
  networkChanged(): void {
    if (isOpen(this.#stand.view.stage)) this.#opening.tryNow();
  }

  #receive(event: PageEvent): void {
    if (event.type === "client-locked") this.#calling.wipe();
    this.#opening.receive(event);
    this.#calling.receive(event);
  }

  #makeActions(): Actions {
    const [opening, calling, comparing] = [this.#opening, this.#calling, this.#comparing];
    return {
      checkName: (name) => void opening.checkName(name),
      register: (name, opener) => void opening.register(name, opener),
      unlock: (passphrase) => void opening.unlock(passphrase),
      startAnew: () => void opening.startAnew(),
      panic: () => {
        if (!isOpen(this.#stand.view.stage)) return;
        opening.panic();
        calling.wipe();
      },
      lock: () => {
        opening.lock();
        calling.wipe();
      },
      find: (name) => void calling.find(name),
      ring: (name) => void calling.ring(name),
      stopRinging: () => {
        calling.stopRinging();
      },
      accept: () => void calling.accept(),
      decline: () => {
        calling.decline();
      },
      sendText: (text, replyTo) => void calling.sendText(text, replyTo),
      retryText: (key) => void calling.retryText(key),
      editText: (key, text) => {
        calling.editText(key, text);
      },
      deleteText: (key) => {
        calling.deleteText(key);
      },
      react: (key, symbol) => {
        calling.react(key, symbol);
      },
      typing: (active) => {
        calling.typing(active);
      },
      markRead: (id) => {
        calling.markRead(id);
      },
      sendFile: (file) => void calling.sendFile(file),
      acceptFile: (fileId, stream) => void calling.acceptFile(fileId, stream),
      declineFile: (fileId) => {
        calling.declineFile(fileId);
      },
      cancelFile: (fileId) => {
        calling.cancelFile(fileId);
      },
      saveFile: (fileId) => {
        calling.saveFile(fileId);
      },
      hangUp: () => {
        calling.hangUp();
      },
      tryNow: () => {
        opening.tryNow();
      },
      requestDirect: () => {
        calling.requestDirect();
      },
      answerDirect: (yes) => {
        calling.answerDirect(yes);
      },
      openSafety: (name) => void comparing.open(name),
      closeSafety: () => {
        comparing.close();
      },
      compareSafety: (name, matches) => void comparing.compare(name, matches),
      scanSafety: (name, bytes) => void comparing.scan(name, bytes),
      acceptNewKey: (name) => void comparing.acceptNewKey(name),
      removeContact: (name) => {
        calling.removeContact(name);
      },
      dismiss: () => {
        if (this.#stand.view.stage.at === "erased") opening.afterErased();
        else calling.dismiss();
      },
      dismissNotice: () => {
        this.#stand.show({ notice: null });
      },
      update: () => {
        this.#stand.ports.reload();
      },
      protect: (opener) => void opening.protect(opener),
      change: (settings) => {
        this.#change(settings);
      },
      setTheme: (theme) => {
        this.#change({ theme });
      },
      setLanguage: (language) => {
        this.#change({ language });
      },
      eraseAccount: () => void opening.erase(),
    };
  }

  #change(change: Partial<SettingsView>): void {
    const settings = { ...this.#stand.view.settings, ...change };
    this.#stand.show({ settings });
    this.#stand.ports.memory.keep(settings);
    if (isOpen(this.#stand.view.stage)) this.#configure();
  }

  /** Tells the worker what a person chose. A direct line is asked about each time, so it never allows one by itself. */
  #configure(): void {
    const { receipts } = this.#stand.view.settings;
    this.#stand.tell("configure", { receipts, allowDirect: false });
  }
}
