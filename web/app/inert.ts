/**
 * Foreign text made harmless: what others wrote is shown, and nothing in it can act on the page.
 *
 * Every text that came from outside passes through here once, on its way to the screen. Twin of the terminal's
 * `inert`, with the same symbols.
 */

/** Marks shown on one base: no living script stacks more, and floods of them cover the lines above. */
export const MAX_MARKS = 8;

/** A name, a file name or a reason: longer ones keep their two ends. */
export const MAX_LINE_CHARACTERS = 200;

/** One message on the screen. More would make every redraw of it slow, which a peer must not decide. */
export const MAX_MESSAGE_CHARACTERS = 16_384;

const BIDI = new Map([
  [0x061c, "ALM"],
  [0x200e, "LRM"],
  [0x200f, "RLM"],
  [0x202a, "LRE"],
  [0x202b, "RLE"],
  [0x202c, "PDF"],
  [0x202d, "LRO"],
  [0x202e, "RLO"],
  [0x2066, "LRI"],
  [0x2067, "RLI"],
  [0x2068, "FSI"],
  [0x2069, "PDI"],
]);

const PLAIN = /^[\x20-\x7e\n]*$/u;
const MARK = /^[\p{Mn}\p{Me}\u200c\u200d]$/u; // the two joiners count as marks, so they cannot flood either
const CONTROL = /^\p{Cc}$/u;
const FORMAT = /^\p{Cf}$/u;
const BREAK = /^[\p{Zl}\p{Zp}]$/u;
const SURROGATE = /^\p{Cs}$/u;
const SPACE = /^\p{Zs}$/u;

/** A text ready to be drawn, and how many characters of it were left out. */
export interface Shown {
  readonly text: string;
  readonly left: number;
}

/**
 * Returns `text` with everything that could act shown as a visible symbol, cut after `limit` characters.
 *
 * The result has no control character but line feeds, no bidirectional control, no invisible format character
 * except the two joiners, no lone surrogate and at most `MAX_MARKS` marks on one base. Twice changes nothing more.
 */
export function inert(text: string, limit: number = MAX_MESSAGE_CHARACTERS): Shown {
  const { head, left } = cut(text, limit);
  const joined = head.replaceAll("\r\n", "\n");
  return { text: PLAIN.test(joined) ? joined : show(joined), left };
}

/** Returns `text` as one inert line: breaks are shown too, and a long one keeps its two ends. */
export function inertLine(text: string, limit: number = MAX_LINE_CHARACTERS): string {
  const characters = text.length > limit ? Array.from(text) : null;
  let line = text;
  if (characters !== null && characters.length > limit) {
    const half = Math.floor((limit - 1) / 2);
    line = `${characters.slice(0, half).join("")}…${characters.slice(-half).join("")}`; // the end says the type
  }
  return inert(line, limit).text.replaceAll("\n", "␊");
}

function cut(text: string, limit: number): { head: string; left: number } {
  if (text.length <= limit) return { head: text, left: 0 };
  let units = 0;
  let left = 0;
  let count = 0;
  for (const character of text) {
    if (count < limit) {
      units += character.length;
      count += 1;
    } else left += 1;
  }
  return { head: text.slice(0, units), left };
}

function show(text: string): string {
  let shown = "";
  let marks = 0;
  let surplus = 0;
  for (const character of text) {
    if (MARK.test(character)) {
      marks += 1;
      if (marks <= MAX_MARKS) shown += character;
      else surplus += 1;
      continue;
    }
    if (surplus > 0) shown += `‹${surplus} marks›`;
    surplus = 0;
    marks = 0;
    shown += symbol(character);
  }
  return surplus > 0 ? `${shown}‹${surplus} marks›` : shown;
}

function symbol(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (CONTROL.test(character)) {
    if (character === "\n") return character;
    if (character === "\t") return "    ";
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "␡" : `‹${hex(code, 2)}›`;
  }
  if (FORMAT.test(character)) return `‹${BIDI.get(code) ?? hex(code, 4)}›`;
  if (BREAK.test(character)) return "␤";
  if (SURROGATE.test(character)) return "\ufffd";
  return SPACE.test(character) ? " " : character;
}

function hex(code: number, width: number): string {
  return code.toString(16).toUpperCase().padStart(width, "0");
}
