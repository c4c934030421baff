/** Chance that a seed decides, so that a failing run can be had again. */

/** Gives a number from 0 up to, not including, 1. */
export type Dice = () => number;

/** The dice of a seed: a 32-bit counter, well mixed (the finalizer of MurmurHash3). Not for secrets. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** True in `probability` of all cases. */
export function chance(roll: Dice, probability: number): boolean {
  return roll() < probability;
}

/** One of several, each as likely. */
export function pick<T>(roll: Dice, choices: readonly T[]): T {
  const picked = choices[Math.floor(roll() * choices.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}
