import { widerLength } from './growth.js';
import { spread } from './byte-table.js';
import { kept, snapshotted } from './snapshot-state.js';

/** Columns of a pair's row. */
export const pairColumn = { key: 0, lastDebitMs: 1, lastCreditMs: 2 } as const;
/** Behind them words: the latest leg, and from `fixed` on that of each stream whose counterparties are counted. */
export const pairWord = { lastLeg: 6, fixed: 7 } as const;
/** Two more words where a set asks for them, behind those of the streams: payments so far in either direction. */
const pairCounts = 2;

/** Subject and counterparty as one exact number: 2^26 accounts at most. */
const keyFactor = 2 ** 26;
const accountsMax = keyFactor;

/** Key of a row that was just forgotten. */
const spareKey = -1;

export const never = -1e15;

/** What a subject and one counterparty have had with each other: when they last paid, and their latest leg. */
export class PairTable {
  /** Row of pair `p` begins at `p * width`, its words in the same memory at `p * width * 2`. */
  numbers: Float64Array;
  words: Int32Array;
  private index = new Int32Array(1024).fill(-1);
  private spare: number[] = [];
  readonly width: number;
  private rows = 0;
  size = 0;

  /** Word of the counts of payments; 0 where they are not kept. */
  readonly countsAt: number;
  /** Behind the words that hold slots of legs. */
  readonly slotsEnd: number;

  readonly snapshot = snapshotted(
    () => ({
      numbers: kept(this.numbers, this.rows * this.width),
      index: kept(this.index),
      spare: kept(Int32Array.from(this.spare)),
      rows: this.rows,
      size: this.size,
    }),
    ({ numbers, index, spare, rows, size }) => {
      this.numbers = numbers;
      this.words = new Int32Array(numbers.buffer);
      this.index = index;
      this.spare = [...spare];
      this.rows = rows;
      this.size = size;
    },
  );

  constructor(distinctStreams: number, keepsCounts: boolean) {
    this.slotsEnd = pairWord.fixed + distinctStreams;
    this.countsAt = keepsCounts ? this.slotsEnd : 0;
    this.width = Math.ceil((this.slotsEnd + (keepsCounts ? pairCounts : 0)) / 2);
    this.numbers = new Float64Array(512 * this.width);
    this.words = new Int32Array(this.numbers.buffer);
  }

  /** The pair's number; made on first sight. `deadBeforeMs`: pairs without a payment since may be forgotten when room is needed, unless single legs of theirs are kept. */
  find(subject: number, other: number, deadBeforeMs: number): number {
    const key = subject * keyFactor + other;
    const mask = this.index.length - 1;
    let at = hashOf(subject, other) & mask;
    for (;;) {
      const pair = this.index[at]!;
      if (pair === -1) break;
      if (this.numbers[pair * this.width] === key) return pair;
      at = (at + 1) & mask;
    }
    if ((this.size + 1) * 4 > this.index.length * 3) {
      this.rebuild(deadBeforeMs);
      return this.find(subject, other, deadBeforeMs);
    }
    if (subject >= accountsMax || other >= accountsMax)
      throw new RangeError(`more than ${accountsMax} accounts in one partition; use more partitions`);
    const pair = this.open(key);
    this.index[at] = pair;
    this.size++;
    return pair;
  }

  /** The pair's number where it is known, else -1. */
  known(subject: number, other: number): number {
    const key = subject * keyFactor + other;
    const mask = this.index.length - 1;
    for (let at = hashOf(subject, other) & mask; ; at = (at + 1) & mask) {
      const pair = this.index[at]!;
      if (pair === -1 || this.numbers[pair * this.width] === key) return pair;
    }
  }

  /** When the subject last paid the counterparty, or was paid by it; `never` for no pair. */
  lastMs(pair: number, isDebit: boolean): number {
    if (pair < 0) return never;
    return this.numbers[pair * this.width + (isDebit ? pairColumn.lastDebitMs : pairColumn.lastCreditMs)]!;
  }

  /** Number of the counterparty's account; -1 for no pair. */
  otherOf(pair: number): number {
    return pair < 0 ? -1 : this.numbers[pair * this.width]! % keyFactor;
  }

  /** Bring the place of a pair, and then its row, into the cache. What they return means nothing. */
  touchIndex(subject: number, other: number): number {
    return this.index[hashOf(subject, other) & (this.index.length - 1)]!;
  }

  touchRow(subject: number, other: number): number {
    const pair = this.index[hashOf(subject, other) & (this.index.length - 1)]!;
    return pair < 0 ? 0 : this.numbers[pair * this.width]! + this.numbers[pair * this.width + this.width - 1]!;
  }

  bytesUsed(): number {
    return this.index.byteLength + this.numbers.byteLength;
  }

  private open(key: number): number {
    const pair = this.spare.pop() ?? this.rows++;
    if (this.rows * this.width > this.numbers.length) {
      const wider = new Float64Array(widerLength(this.numbers.length));
      wider.set(this.numbers);
      this.numbers = wider;
      this.words = new Int32Array(wider.buffer);
    }
    const base = pair * this.width;
    this.numbers[base] = key;
    this.numbers[base + pairColumn.lastDebitMs] = never;
    this.numbers[base + pairColumn.lastCreditMs] = never;
    const { words } = this;
    const from = base * 2;
    for (let word: number = pairWord.lastLeg; word < this.width * 2; word++) words[from + word] = word < this.slotsEnd ? -1 : 0;
    return pair;
  }

  /** Forgets dead pairs whose legs are gone as well; doubles the index where that does not make room. */
  private rebuild(deadBeforeMs: number): void {
    const { numbers, words, width } = this;
    let live = 0;
    // Row by row, as they lie in memory. All rows were taken before the index is full.
    for (let pair = 0; pair < this.rows; pair++) {
      const base = pair * width;
      const latest = Math.max(numbers[base + pairColumn.lastDebitMs]!, numbers[base + pairColumn.lastCreditMs]!);
      if (latest >= deadBeforeMs || words[base * 2 + pairWord.lastLeg]! >= 0) live++;
      else this.release(pair);
    }
    this.size = live;
    const wide = live * 2 > this.index.length ? this.index.length * 2 : this.index.length;
    const index = new Int32Array(wide).fill(-1);
    for (let pair = 0; pair < this.rows; pair++) {
      const key = numbers[pair * width]!;
      if (key === spareKey) continue;
      const subject = Math.floor(key / keyFactor);
      let at = hashOf(subject, key - subject * keyFactor) & (wide - 1);
      while (index[at] !== -1) at = (at + 1) & (wide - 1);
      index[at] = pair;
    }
    this.index = index;
  }

  private release(pair: number): void {
    this.numbers[pair * this.width] = spareKey;
    this.spare.push(pair);
  }
}

function hashOf(subject: number, other: number): number {
  return spread(Math.imul(subject, 0x9e3779b1 | 0) ^ other);
}
