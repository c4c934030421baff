/** One rule for the period in which a signed value holds (spec/identity.md). */

import { ExpiredError, NotYetValidError, VerificationError } from "./errors.ts";
import { MAX_CLOCK_ERROR_SECONDS } from "./limits.ts";

/**
 * Checks a validity period at `now`, all in Unix seconds; ±300 s of clock error are allowed.
 *
 * Throws VerificationError if the period is empty or longer than `longest`, NotYetValidError or ExpiredError.
 */
export function requireValidity(
  what: string,
  start: number,
  end: number,
  longest: number,
  now: number,
): void {
  if (end <= start || end - start > longest) {
    throw new VerificationError(`the ${what}'s validity period is not allowed`);
  }
  if (now < start - MAX_CLOCK_ERROR_SECONDS) {
    throw new NotYetValidError(`the ${what} is not valid yet; check the clock`);
  }
  if (now > end + MAX_CLOCK_ERROR_SECONDS) throw new ExpiredError(`the ${what} has expired; check the clock`);
}
