import { hashBytes, type TransactionView } from './transaction-view.js';

/**
 * Short texts (remarks, channels) repeat: each is decoded once, and whether it mentions one of a pattern's words is
 * remembered. A full cache is emptied; answers never depend on it.
 */
const entriesMax = 1 << 15;

export interface TextCache {
  text(view: TransactionView, start: number, end: number): string;
  mentions(view: TransactionView, start: number, end: number, list: number): boolean;
  /** A number for a list of words, to be given to `mentions`. */
  register(words: readonly string[]): number;
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Bit `list` of `known` says that bit `list` of `found` holds. */
  known: number;
  found: number;
}

export function createTextCache(): TextCache {
  const entries = new Map<number, Entry>();
  const lists: (readonly string[])[] = [];

  function entryOf(view: TransactionView, start: number, end: number): Entry {
    const hash = hashBytes(view.bytes, start, end);
    const known = entries.get(hash);
    if (known && equals(known.bytes, view.bytes, start, end)) return known;
    if (entries.size >= entriesMax) entries.clear();
    const entry: Entry = { bytes: view.bytes.slice(start, end), text: view.text(start, end), known: 0, found: 0 };
    entries.set(hash, entry);
    return entry;
  }

  return {
    text: (view, start, end) => (start < 0 ? '' : entryOf(view, start, end).text),
    mentions(view, start, end, list) {
      if (start < 0 || start === end) return false;
      const entry = entryOf(view, start, end);
      if (list > 30) return lists[list]!.some((word) => entry.text.includes(word));
      const bit = 1 << list;
      if ((entry.known & bit) === 0) {
        entry.known |= bit;
        if (lists[list]!.some((word) => entry.text.includes(word))) entry.found |= bit;
      }
      return (entry.found & bit) !== 0;
    },
    register(words) {
      const known = lists.findIndex((list) => list.length === words.length && list.every((word, i) => word === words[i]));
      return known >= 0 ? known : lists.push([...words]) - 1;
    },
  };
}

function equals(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (kept.length !== end - start) return false;
  for (let i = start, j = 0; i < end; i++, j++) if (kept[j] !== bytes[i]) return false;
  return true;
}
