import { hashBytes, type TransactionView } from './transaction-view.js';

/** Texts that repeat (names) are decoded once. Each has one place, which the next text there takes; answers never depend on it. */
export interface TextCache {
  /** The text of a span; '' for an absent one. */
  text(view: TransactionView, start: number, end: number): string;
}

const placesMax = 1 << 16;

interface Decoded {
  readonly text: string;
  readonly bytes: Uint8Array;
}

export function createTextCache(): TextCache {
  const places: (Decoded | undefined)[] = Array.from({ length: placesMax }, () => undefined);
  return {
    text(view, start, end) {
      if (start < 0 || start === end) return '';
      const hash = hashBytes(view.bytes, start, end);
      const place = (hash ^ (hash >>> 16)) & (placesMax - 1);
      const known = places[place];
      if (known && equals(known.bytes, view.bytes, start, end)) return known.text;
      const text = view.text(start, end);
      places[place] = { text, bytes: view.bytes.slice(start, end) };
      return text;
    },
  };
}

function equals(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (kept.length !== end - start) return false;
  for (let i = start, j = 0; i < end; i++, j++) if (kept[j] !== bytes[i]) return false;
  return true;
}
