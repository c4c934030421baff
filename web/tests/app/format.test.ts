import { expect, test } from "vitest";
import { secondsHeld } from "../../app/format.ts";

test("a hold is never longer than it is, whatever the screen's clock says", () => {
  const line = { heldUntil: 1060, holdSeconds: 60 };
  expect(secondsHeld(line, 999.2)).toBe(60);
  expect(secondsHeld(line, 1000.5)).toBe(60);
  expect(secondsHeld(line, 1040)).toBe(20);
  expect(secondsHeld(line, 1061)).toBe(0);
});
