import { comparableText } from './comparable-text.js';
import { hashBytes } from './transaction-view.js';

/**
 * The words that conditions look for in texts, all lists of them together: one walk over a text's bytes (UTF-8) finds every
 * list that has a word in it. Which walk has to look closer is told by the three bytes where a word begins. Words are kept as
 * `comparableText` makes them; the bytes that are looked through must be comparable.
 */
export interface WordLists {
  /** A number for a list of words; the same for the same words. */
  register(words: readonly string[]): number;
  /** Words of 32 lists each that a row of bits takes. */
  readonly bitWords: number;
  /** Sets the bits of the lists that have a word inside `bytes[start, end)`; `found` has `bitWords` words. */
  markMentioned(bytes: Uint8Array, start: number, end: number, found: Uint32Array): void;
  /** Sets the bits of the lists of which `bytes[start, end)` is a word. */
  markEqual(bytes: Uint8Array, start: number, end: number, found: Uint32Array): void;
}

const headBits = 12;
const headMask = (1 << headBits) - 1;
/** Shorter words are looked for everywhere. */
const headBytes = 3;
const encoder = new TextEncoder();

interface Word {
  readonly bytes: Uint8Array;
  readonly hash: number;
  readonly lists: number[];
}

function createWordLists(): WordLists {
  const lists: (readonly string[])[] = [];
  const words = new Map<string, Word>();
  /** By the hash of a word's first three bytes: its word + 1 in `chained`, and the next one of the same hash behind it. */
  const heads = new Uint16Array(headMask + 1);
  const chained: Word[] = [];
  const nextOf: number[] = [];
  const short: Word[] = [];
  const byHash = new Map<number, Word[]>();

  function add(text: string): Word {
    const bytes = encoder.encode(text);
    const word: Word = { bytes, hash: hashBytes(bytes, 0, bytes.length), lists: [] };
    words.set(text, word);
    byHash.set(word.hash, [...(byHash.get(word.hash) ?? []), word]);
    if (bytes.length < headBytes) short.push(word);
    else {
      const head = headOf(bytes, 0);
      nextOf.push(heads[head]!);
      heads[head] = chained.push(word);
    }
    return word;
  }

  return {
    get bitWords() {
      return (lists.length + 31) >>> 5;
    },
    register(wanted) {
      const own = [...new Set(wanted.map(comparableText))];
      const before = lists.findIndex((list) => list.length === own.length && list.every((word, i) => word === own[i]));
      if (before >= 0) return before;
      const list = lists.push(own) - 1;
      for (const text of own) (words.get(text) ?? add(text)).lists.push(list);
      return list;
    },
    markMentioned(bytes, start, end, found) {
      for (let at = start; at <= end - headBytes; at++) {
        // No word begins inside a character.
        if ((bytes[at]! & 0xc0) === 0x80) continue;
        for (let next = heads[headOf(bytes, at)]!; next > 0; next = nextOf[next - 1]!) {
          const word = chained[next - 1]!;
          if (isAt(word.bytes, bytes, at, end)) mark(word, found);
        }
      }
      for (const word of short)
        for (let at = start; at <= end - word.bytes.length; at++) if (isAt(word.bytes, bytes, at, end)) mark(word, found);
    },
    markEqual(bytes, start, end, found) {
      const same = byHash.get(hashBytes(bytes, start, end));
      if (same === undefined) return;
      for (const word of same) if (word.bytes.length === end - start && isAt(word.bytes, bytes, start, end)) mark(word, found);
    },
  };
}

/** One for all pattern sets of the thread: numbers of lists stand in generated code. */
export const wordLists: WordLists = createWordLists();

function headOf(bytes: Uint8Array, at: number): number {
  const three = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  return (Math.imul(three, 0x9e3779b1 | 0) >>> (32 - headBits)) & headMask;
}

function isAt(word: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + word.length > end) return false;
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

function mark({ lists }: Word, found: Uint32Array): void {
  for (const list of lists) found[list >>> 5]! |= 1 << (list & 31);
}
