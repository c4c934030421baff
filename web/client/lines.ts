/** The ways that a conversation's frames can take: the server's relay, and a DataChannel while there is one. */

import {
  type DirectConsent,
  type LineAnswer,
  type LineOffer,
  type RtcAnswer,
  type RtcCandidates,
  type RtcClose,
  type RtcOffer,
  RtcPolicy,
} from "../core/content/index.ts";
import type { CallTerms, ConversationHost } from "./conversation-host.ts";
import { Line, Via } from "./events.ts";
import { RtcLine, type RtcLineHost } from "./rtc/line.ts";
import type { Transport } from "./transport/transport.ts";

export type LineContent =
  DirectConsent | LineOffer | LineAnswer | RtcOffer | RtcAnswer | RtcCandidates | RtcClose;

/** What the lines need of their conversation. */
export type LinesHost = Omit<RtcLineHost, "allowDirect" | "mayUseLoopback" | "random" | "turnCredentials">;

/** Which way is there, and which is taken: a DataChannel before the relay. */
export class Lines {
  readonly rtc: RtcLine;
  #relay: Transport | null = null;
  #isPeerUp = true;

  constructor(lines: LinesHost, terms: CallTerms, host: ConversationHost) {
    this.rtc = new RtcLine(
      {
        own: lines.own,
        peer: lines.peer,
        isWeb: lines.isWeb,
        get allowDirect() {
          return host.allowDirect;
        },
        mayUseLoopback: host.mayUseLoopback,
        random: (length) => host.primitives.random(length),
        turnCredentials: terms.turnCredentials,
        sendSoon: (content) => {
          lines.sendSoon(content);
        },
        tell: (event) => {
          lines.tell(event);
        },
        lineOpened: (transport, policy) => lines.lineOpened(transport, policy),
        lineLost: () => {
          lines.lineLost();
        },
        tampered: () => {
          lines.tampered();
        },
      },
      terms.rtc,
    );
  }

  /** Where frames go now, null if nowhere. */
  get transport(): Transport | null {
    return this.rtc.transport ?? (this.#isPeerUp ? this.#relay : null);
  }

  /** The relay's route, whether or not it is the way that is taken. */
  get relay(): Transport | null {
    return this.#relay;
  }

  /** Whether frames take a DataChannel. */
  get isRtc(): boolean {
    return this.rtc.transport !== null;
  }

  /** What carries frames. */
  get via(): Via {
    if (!this.isRtc) return Via.SERVER;
    return this.rtc.policy === RtcPolicy.ALL ? Via.DIRECT : Via.TURN;
  }

  /** What that means for a person. */
  get line(): Line {
    return this.via === Via.DIRECT ? Line.DIRECT : Line.RELAYED;
  }

  /** There is a route through the server; both sockets are there. */
  attach(relay: Transport): void {
    this.#relay = relay;
    this.#isPeerUp = true;
  }

  /** The route is gone. */
  detach(): void {
    this.#relay?.close();
    this.#relay = null;
  }

  /** The server says that the peer's socket is gone, or back. */
  peerChanged(isUp: boolean): void {
    this.#isPeerUp = isUp;
  }

  /** Takes what the peer says about lines. */
  receive(content: LineContent): void {
    switch (content.type) {
      case "direct-consent":
        this.rtc.receiveConsent(content.allowed);
        break;
      case "line-offer": // TCP, which pages do not have
      case "line-answer":
        break;
      case "rtc-offer":
      case "rtc-answer":
      case "rtc-candidates":
      case "rtc-close":
        this.rtc.receive(content);
        break;
    }
  }

  /** The conversation is over: what is queued may still leave. */
  close(): void {
    this.rtc.close();
    this.detach();
  }
}
