/** What is said beside the contacts when a look-up, a ring or an answer came to nothing. */

import type { PageEvent } from "../../client/messages.ts";
import { WorkerError } from "../../client/page.ts";
import type { AnswerView, RingEnd } from "../models.ts";

/** How a ring that came in ended. */
export function endOf(end: Exclude<Extract<PageEvent, { type: "ring-ended" }>["end"], "accepted">): RingEnd {
  return end === "timed_out" ? "timedOut" : end;
}

/** What is said beside the contacts when a look-up, a ring or an answer failed. */
export function answerOf(name: string, error: unknown, now: number): AnswerView {
  const end = (how: RingEnd): AnswerView => ({ kind: "ringEnd", name, end: how });
  if (!(error instanceof WorkerError)) return end("failed");
  switch (error.name) {
    case "NotFoundError":
    case "InvalidUsernameError":
      return { kind: "notFound", name, retryAt: null };
    case "RateLimitedError":
      return { kind: "slowed", name, retryAt: Math.ceil(now + (error.retryAfter ?? 1)) };
    case "DeclinedError":
      return end("declined");
    case "BusyError":
      return end("busy");
    case "NoAnswerError":
      return end("noAnswer");
    case "StoppedError":
      return { kind: "none" };
    case "RingOverError":
      return end(ringOver(error.reason));
    case "IdentityError":
    case "RefusedIdentityError":
    case "RevokedError":
      return end("identity");
    case "ServerUnreachableError":
    case "TransportError":
      return end("unreachable");
    default:
      return end("failed");
  }
}

function ringOver(reason: string | null): RingEnd {
  if (reason === "cancelled" || reason === "elsewhere") return reason;
  return reason === "timed_out" ? "timedOut" : "failed";
}
