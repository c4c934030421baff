/** Web addresses in a text, found so that they can be drawn as plain links. Nothing is ever fetched for them. */

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  /** `host` is set when the host does not look like what it is: its ASCII form. */
  | { readonly kind: "link"; readonly text: string; readonly href: string; readonly host: string | null };

const ADDRESS = /https?:\/\/[^\s<>"'`‹›{}|\\^]+/giu;
const TRAILING = /[.,;:!?…)\]»”’]+$/u;

/** Cuts an inert text into words and links. Only http and https, and never one that hides its host behind a name. */
export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const link = parse(trim(match[0]));
    if (link === null) continue;
    if (match.index > end) found.push({ kind: "text", text: text.slice(end, match.index) });
    found.push(link);
    end = match.index + link.text.length;
  }
  if (end < text.length || found.length === 0) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

function trim(address: string): string {
  const opens = address.includes("(");
  const trimmed = address.replace(TRAILING, "");
  return opens && address.startsWith(`${trimmed})`) ? `${trimmed})` : trimmed;
}

function parse(text: string): (Piece & { kind: "link" }) | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  if (url.username !== "" || url.password !== "") return null; // https://bank.example@elsewhere.example
  const plain = text.toLowerCase().includes(url.hostname);
  return { kind: "link", text, href: url.href, host: plain ? null : url.hostname };
}
