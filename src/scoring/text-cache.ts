import { hashBytes, type TransactionView } from './transaction-view.js';

/**
 * Short texts (remarks, channels) repeat: each is decoded once, and whether it mentions one of a pattern's words is
 * remembered. A full cache is emptied; answers never depend on it.
 */
const entriesMax = 1 << 15;
const placesMax = 32;
/** More than any place in the bytes of a transaction's buffer. */
const roundStep = 2 ** 32;

export interface TextCache {
  text(view: TransactionView, start: number, end: number): string;
  mentions(view: TransactionView, start: number, end: number, list: number): boolean;
  /** A number for a list of words, to be given to `mentions`. */
  register(words: readonly string[]): number;
  /** Says that the bytes in hand are others than before, wherever they lie. */
  begin(): void;
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** By list: 0 not asked yet, 1 mentions none of its words, 2 mentions one. */
  readonly answers: Uint8Array;
}

export function createTextCache(): TextCache {
  const entries = new Map<number, Entry>();
  const lists: (readonly string[])[] = [];
  /** Texts of the transaction in hand that were asked about, by where they lie: conditions ask about them again and again. */
  const places = new Float64Array(placesMax);
  const ends = new Float64Array(placesMax);
  const latest: (Entry | undefined)[] = Array.from({ length: placesMax }, () => undefined);
  /** Tells transactions apart: places of earlier ones mean nothing any more. */
  let round = roundStep;

  function entryOf(view: TransactionView, start: number, end: number): Entry {
    const at = start & (placesMax - 1);
    const place = round + start;
    if (places[at] === place && ends[at] === end) return latest[at]!;
    const entry = find(view, start, end);
    places[at] = place;
    ends[at] = end;
    latest[at] = entry;
    return entry;
  }

  function find(view: TransactionView, start: number, end: number): Entry {
    const hash = hashBytes(view.bytes, start, end);
    const known = entries.get(hash);
    if (known && equals(known.bytes, view.bytes, start, end)) return known;
    if (entries.size >= entriesMax) entries.clear();
    const entry: Entry = {
      bytes: view.bytes.slice(start, end),
      text: view.text(start, end),
      answers: new Uint8Array(lists.length),
    };
    entries.set(hash, entry);
    return entry;
  }

  return {
    text: (view, start, end) => (start < 0 ? '' : entryOf(view, start, end).text),
    mentions(view, start, end, list) {
      if (start < 0 || start === end) return false;
      const { answers, text } = entryOf(view, start, end);
      if (answers[list] === 0) answers[list] = lists[list]!.some((word) => text.includes(word)) ? 2 : 1;
      return answers[list] === 2;
    },
    register(words) {
      const known = lists.findIndex((list) => list.length === words.length && list.every((word, i) => word === words[i]));
      if (known >= 0) return known;
      // Entries have a place for each list that was there when they were made.
      entries.clear();
      round += roundStep;
      return lists.push([...words]) - 1;
    },
    begin() {
      round += roundStep;
    },
  };
}

function equals(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (kept.length !== end - start) return false;
  for (let i = start, j = 0; i < end; i++, j++) if (kept[j] !== bytes[i]) return false;
  return true;
}
