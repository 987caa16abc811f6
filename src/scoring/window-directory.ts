import { widerLength } from './growth.js';
import { column } from './plan.js';
import { kept, type Snapshotted, snapshotted } from './snapshot-state.js';

/**
 * Which named windows a subject has, and their nodes. A subject has few of the many: it has a block of one bit a window and, behind
 * them, the nodes of those that it has in the order of the bits. So one look tells that there is none.
 */
export interface WindowDirectory {
  /** The subject's node of the window; -1 for none. */
  find(row: Float64Array, base: number, window: number): number;
  /** 32 bits of those that the subject has: bit `b` of word `w` is window `w * 32 + b`. */
  bits(row: Float64Array, base: number, word: number): number;
  add(row: Float64Array, base: number, window: number, node: number): void;
  remove(row: Float64Array, base: number, window: number): void;
  /** Windows of the subject from `window` on: the first one that it has, -1 for none. */
  nextOf(row: Float64Array, base: number, window: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const smallest = 4;
/** Blocks of 4, 8, 16 … nodes. */
const sizesMax = 16;

/** A block: for how many nodes it has room (a free one: the next free one of its size), its bits, its nodes. */
export function createWindowDirectory(windows: number): WindowDirectory {
  const bitWords = (windows + 31) >>> 5;
  const head = 1 + bitWords;
  let words = new Int32Array(1_024);
  let used = 0;
  let free = new Int32Array(sizesMax).fill(-1);

  const bitsBelow = (window: number): number => (1 << (window & 31)) - 1;
  const wordOf = (block: number, window: number): number => block + 1 + (window >>> 5);

  /** How many windows before this one the subject has. */
  function rankOf(block: number, window: number): number {
    const last = wordOf(block, window);
    let rank = bitCount(words[last]! & bitsBelow(window));
    for (let at = block + 1; at < last; at++) rank += bitCount(words[at]!);
    return rank;
  }

  function sizeOf(capacity: number): number {
    return 31 - Math.clz32(capacity / smallest);
  }

  function open(capacity: number): number {
    let block = free[sizeOf(capacity)]!;
    if (block >= 0) free[sizeOf(capacity)] = words[block]!;
    else {
      block = used;
      used += head + capacity;
      while (used > words.length) {
        const wider = new Int32Array(widerLength(words.length));
        wider.set(words);
        words = wider;
      }
    }
    words[block] = capacity;
    words.fill(0, block + 1, block + head);
    return block;
  }

  function release(block: number): void {
    const size = sizeOf(words[block]!);
    words[block] = free[size]!;
    free[size] = block;
  }

  function total(block: number): number {
    let count = 0;
    for (let at = block + 1; at < block + head; at++) count += bitCount(words[at]!);
    return count;
  }

  return {
    find(row, base, window) {
      const block = row[base + column.named]!;
      if (block < 0 || ((words[wordOf(block, window)]! >>> (window & 31)) & 1) === 0) return -1;
      return words[block + head + rankOf(block, window)]!;
    },
    bits(row, base, word) {
      const block = row[base + column.named]!;
      return block < 0 ? 0 : words[block + 1 + word]!;
    },
    add(row, base, window, node) {
      let block = row[base + column.named]!;
      if (block < 0) block = open(smallest);
      const count = total(block);
      if (count === words[block]) {
        const wider = open(count * 2);
        words.copyWithin(wider + 1, block + 1, block + head + count);
        release(block);
        block = wider;
      }
      row[base + column.named] = block;
      const at = block + head + rankOf(block, window);
      words.copyWithin(at + 1, at, block + head + count);
      words[at] = node;
      words[wordOf(block, window)]! |= 1 << (window & 31);
    },
    remove(row, base, window) {
      const block = row[base + column.named]!;
      const count = total(block);
      const at = block + head + rankOf(block, window);
      words.copyWithin(at, at + 1, block + head + count);
      words[wordOf(block, window)]! &= ~(1 << (window & 31));
      if (count > 1) return;
      release(block);
      row[base + column.named] = -1;
    },
    nextOf(row, base, from) {
      const block = row[base + column.named]!;
      if (block < 0) return -1;
      for (let window = from; window < windows; window++) {
        const bits = words[wordOf(block, window)]! & ~bitsBelow(window);
        if (bits !== 0) return (window & ~31) + 31 - Math.clz32(bits & -bits);
        window |= 31;
      }
      return -1;
    },
    bytesUsed: () => words.byteLength,
    snapshot: snapshotted(
      () => ({ words: kept(words, used), used, free: kept(free) }),
      (state) => {
        ({ words, used, free } = state);
      },
    ),
  };
}

function bitCount(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
