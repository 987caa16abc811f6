import { dayMs } from '../domain/bank-day.js';
import { keyOfBytes } from './byte-key.js';
import { spread, widen } from './byte-table.js';
import { widerLength } from './growth.js';
import { holderName, keyOf, resembles, type HolderName } from './holder-name.js';
import { RowPool } from './row-pool.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';
import { textOf } from './transaction-view.js';

/**
 * Names that a subject has paid. Counts and sums are exact as long as the subject's debits to one counterparty after `sinceMs`
 * are at most 8, or all of its debits to it lie inside the window; else those that are not told apart are left out. A
 * counterparty that changes its name counts as another. Of a subject the 2,000 counterparties paid last are remembered,
 * as far as they were paid within 400 days of its latest debit. Debits may come late.
 */
export interface NameHistory {
  /**
   * One debit of the subject (a row number) to account `other` (less than 2^26), whose holder's name stands at `bytes[start, end)`
   * as inside a JSON string; one without a letter is not noted.
   */
  note(subject: number, other: number, bytes: Uint8Array, start: number, end: number, amountFen: number, timeMs: number): void;
  /**
   * Debits after `sinceMs` and up to `atMs` to accounts other than `other` whose holder's name is `name` or resembles it (see
   * `holder-name.ts`). One object for all answers: read it before the next call.
   */
  resembling(
    subject: number,
    other: number,
    name: string,
    similarity: number,
    sinceMs: number,
    atMs: number,
  ): { readonly count: number; readonly sumFen: number };
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const counterpartiesMax = 2_000;
const debitsMax = 8;
const keptMs = 400 * dayMs;
const keyFactor = 2 ** 26;

/**
 * Columns of a counterparty under one name: subject and account as one number, number of the name, all debits, their first
 * time, the latest of those that are kept, and the counterparty paid later in the subject's ring, which runs from the latest on;
 * before the first one stands the last.
 */
const column = { pair: 0, name: 1, count: 2, sumFen: 3, firstMs: 4, debit: 5, newer: 6 } as const;
const width = 7;

/** Kind of the keys of names (see `byte-key.ts`). */
const nameSeed = 3;

interface Name extends HolderName {
  uses: number;
}

export function createNameHistory(): NameHistory {
  const parties = new RowPool(width);
  /** Time and amount of the latest debits to a counterparty, from new to old. */
  const debits = new RowPool(2);
  /** By subject: the counterparty paid last + 1, 0 for none; and how many there are. */
  let heads = new Int32Array(64);
  let sizes = new Uint16Array(64);
  /** Open addressing over (pair, name): counterparty + 1. */
  let index = new Int32Array(256);
  let indexed = 0;
  let names: Name[] = [];
  let spareNames: number[] = [];
  const numbers = new Map<string, number>();
  let nameCharacters = 0;
  /** How often a number was given back: what remembers a number remembers this too. */
  let turns = new Int32Array(64);
  /** By account: the key of the name it was paid under last, the number of that name (-1 for one that is not noted) and its turn. */
  let paidKeys = new Float64Array(64);
  let paidNames = new Int32Array(128);
  const normal = createNormaliser();
  const answer = { count: 0, sumFen: 0 };

  const of = (row: number, wanted: number): number => parties.numbers[row * width + wanted]!;
  const set = (row: number, wanted: number, value: number): void => {
    parties.numbers[row * width + wanted] = value;
  };
  const debitMs = (debit: number): number => debits.numbers[debit * 2]!;
  const lastMs = (row: number): number => debitMs(of(row, column.debit));
  const headOf = (subject: number): number => (heads[subject] ?? 0) - 1;

  function numberOf(name: HolderName): number {
    const known = numbers.get(name.key);
    if (known !== undefined) return known;
    const number = newNumber();
    names[number] = { ...name, uses: 0 };
    numbers.set(name.key, number);
    nameCharacters += name.key.length * 2;
    return number;
  }

  function dropName(number: number): void {
    const name = names[number]!;
    if (--name.uses > 0) return;
    numbers.delete(name.key);
    nameCharacters -= name.key.length * 2;
    turns[number]!++;
    spareNames.push(number);
  }

  function newNumber(): number {
    const number = spareNames.pop() ?? names.length;
    if (number >= turns.length) turns = widen(turns, new Int32Array(widerLength(turns.length)));
    return number;
  }

  /** Number of the name that stands there, -1 for one without a letter. */
  function numberOfSpan(other: number, bytes: Uint8Array, start: number, end: number): number {
    if (other >= paidKeys.length) {
      const length = Math.max(other + 1, widerLength(paidKeys.length));
      paidKeys = widen(paidKeys, new Float64Array(length));
      paidNames = widen(paidNames, new Int32Array(length * 2));
    }
    const key = keyOfBytes(nameSeed, bytes, start, end);
    const known = paidNames[other * 2]!;
    if (paidKeys[other] === key && (known < 0 || turns[known] === paidNames[other * 2 + 1])) return known;
    const name = normal(textOf(bytes, start, end));
    const number = name.length === 0 ? -1 : numberOf(name);
    paidKeys[other] = key;
    paidNames[other * 2] = number;
    paidNames[other * 2 + 1] = number < 0 ? 0 : turns[number]!;
    return number;
  }

  /** Place of the counterparty in the index, or the free one where it would be. */
  function placeOf(pair: number, name: number): number {
    const mask = index.length - 1;
    let at = hashOf(pair, name) & mask;
    for (; index[at]! > 0; at = (at + 1) & mask) {
      const row = index[at]! - 1;
      if (of(row, column.pair) === pair && of(row, column.name) === name) break;
    }
    return at;
  }

  function open(place: number, pair: number, name: number): number {
    const row = parties.take();
    set(row, column.pair, pair);
    set(row, column.name, name);
    set(row, column.count, 0);
    set(row, column.sumFen, 0);
    set(row, column.firstMs, Infinity);
    set(row, column.debit, -1);
    set(row, column.newer, -1);
    names[name]!.uses++;
    index[place] = row + 1;
    if (++indexed * 2 > index.length) {
      const old = index;
      index = new Int32Array(old.length * 2);
      for (const kept of old) if (kept > 0) index[placeOf(of(kept - 1, column.pair), of(kept - 1, column.name))] = kept;
    }
    return row;
  }

  /** Frees a place of the index: what stands behind it because of it moves up. */
  function freePlace(place: number): void {
    const mask = index.length - 1;
    let free = place;
    for (let at = (place + 1) & mask; index[at]! > 0; at = (at + 1) & mask) {
      const home = hashOf(of(index[at]! - 1, column.pair), of(index[at]! - 1, column.name)) & mask;
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      index[free] = index[at]!;
      free = at;
    }
    index[free] = 0;
    indexed--;
  }

  function unlink(subject: number, row: number): void {
    const head = headOf(subject);
    const newer = of(row, column.newer);
    const older = parties.next[row]!;
    if (older >= 0) set(older, column.newer, newer);
    else if (row !== head) set(head, column.newer, newer);
    if (row === head) heads[subject] = older + 1;
    else parties.next[newer] = older;
    sizes[subject]!--;
  }

  /** Puts a counterparty before those that were not paid later. */
  function link(subject: number, row: number): void {
    const head = headOf(subject);
    let newer = -1;
    let older = head;
    while (older >= 0 && lastMs(older) > lastMs(row)) {
      newer = older;
      older = parties.next[older]!;
    }
    const last = head < 0 ? row : of(head, column.newer);
    parties.next[row] = older;
    if (newer < 0) {
      heads[subject] = row + 1;
      set(row, column.newer, last);
    } else {
      parties.next[newer] = row;
      set(row, column.newer, newer);
    }
    if (older >= 0) set(older, column.newer, row);
    else set(headOf(subject), column.newer, row);
    sizes[subject]!++;
  }

  function addDebit(row: number, amountFen: number, timeMs: number): void {
    set(row, column.count, of(row, column.count) + 1);
    set(row, column.sumFen, of(row, column.sumFen) + amountFen);
    set(row, column.firstMs, Math.min(of(row, column.firstMs), timeMs));
    let newer = -1;
    let older = of(row, column.debit);
    let count = 1;
    for (; older >= 0 && debitMs(older) > timeMs; older = debits.next[older]!) {
      newer = older;
      count++;
    }
    if (count > debitsMax) return;
    const debit = debits.take();
    debits.numbers[debit * 2] = timeMs;
    debits.numbers[debit * 2 + 1] = amountFen;
    debits.next[debit] = older;
    if (newer < 0) set(row, column.debit, debit);
    else debits.next[newer] = debit;
    let last = debit;
    for (; count < debitsMax && debits.next[last]! >= 0; count++) last = debits.next[last]!;
    debits.releaseAfter(last);
  }

  function forgetOldest(subject: number): void {
    const last = of(headOf(subject), column.newer);
    freePlace(placeOf(of(last, column.pair), of(last, column.name)));
    unlink(subject, last);
    debits.releaseAfter(of(last, column.debit));
    debits.release(of(last, column.debit));
    dropName(of(last, column.name));
    parties.release(last);
  }

  /** Adds the debits to a counterparty that lie in the window to the answer. */
  function addInside(row: number, sinceMs: number, atMs: number): void {
    let kept = 0;
    let keptFen = 0;
    let oldestMs = Infinity;
    for (let debit = of(row, column.debit); debit >= 0; debit = debits.next[debit]!) {
      const amountFen = debits.numbers[debit * 2 + 1]!;
      kept++;
      keptFen += amountFen;
      oldestMs = debitMs(debit);
      if (oldestMs <= sinceMs || oldestMs > atMs) continue;
      answer.count++;
      answer.sumFen += amountFen;
    }
    // Times of the others are known only to lie between the first and the oldest that is kept.
    if (of(row, column.firstMs) <= sinceMs || oldestMs > atMs) return;
    answer.count += of(row, column.count) - kept;
    answer.sumFen += of(row, column.sumFen) - keptFen;
  }

  function noteNumber(subject: number, other: number, number: number, amountFen: number, timeMs: number): void {
    if (subject >= heads.length) {
      const length = Math.max(subject + 1, widerLength(heads.length));
      heads = widen(heads, new Int32Array(length));
      sizes = widen(sizes, new Uint16Array(length));
    }
    const pair = subject * keyFactor + other;
    const place = placeOf(pair, number);
    let row = index[place]! - 1;
    if (row < 0) row = open(place, pair, number);
    // The counterparty that was paid last stays where it is: most are paid in turns, and some again and again.
    else if (row !== headOf(subject)) unlink(subject, row);
    const wasFirst = row === headOf(subject);
    addDebit(row, amountFen, timeMs);
    if (!wasFirst) link(subject, row);
    if (sizes[subject]! > counterpartiesMax) forgetOldest(subject);
    const oldestMs = lastMs(headOf(subject)) - keptMs;
    while (lastMs(of(headOf(subject), column.newer)) < oldestMs) forgetOldest(subject);
  }

  return {
    note(subject, other, bytes, start, end, amountFen, timeMs) {
      const number = numberOfSpan(other, bytes, start, end);
      if (number >= 0) noteNumber(subject, other, number, amountFen, timeMs);
    },
    resembling(subject, other, name, similarity, sinceMs, atMs) {
      answer.count = 0;
      answer.sumFen = 0;
      const own = normal(name);
      const pair = subject * keyFactor + other;
      for (let row = headOf(subject); row >= 0 && lastMs(row) > sinceMs; row = parties.next[row]!)
        if (of(row, column.pair) !== pair && resembles(names[of(row, column.name)]!, own, similarity))
          addInside(row, sinceMs, atMs);
      return answer;
    },
    bytesUsed: () =>
      parties.bytesUsed() +
      debits.bytesUsed() +
      index.byteLength +
      heads.byteLength +
      sizes.byteLength +
      paidKeys.byteLength +
      paidNames.byteLength +
      turns.byteLength +
      names.length * 160 +
      nameCharacters,
    snapshot: snapshotted(
      () => ({
        parties: parties.snapshot.save(),
        debits: debits.snapshot.save(),
        heads: kept(heads),
        sizes: kept(sizes),
        index: kept(index),
        indexed,
        stems: () => names.map(({ stem }) => stem),
        forms: () => names.map(({ form }) => form),
        names: () => kept(Int32Array.from(names.flatMap(({ uses, length, low, high }) => [uses, length, low, high]))),
        spareNames: kept(Int32Array.from(spareNames)),
        nameCharacters,
      }),
      (state) => {
        parties.snapshot.load(state.parties);
        debits.snapshot.load(state.debits);
        ({ heads, sizes, index, indexed, nameCharacters } = state);
        names = state.stems.map((stem, i) => {
          const [uses, length, low, high] = state.names.subarray(i * 4);
          const form = state.forms[i]!;
          return { key: keyOf(stem, form), stem, form, length: length!, low: low!, high: high!, uses: uses! };
        });
        spareNames = [...state.spareNames];
        turns = new Int32Array(Math.max(64, names.length));
        numbers.clear();
        names.forEach(({ key, uses }, number) => {
          if (uses > 0) numbers.set(key, number);
        });
      },
    ),
  };
}

function hashOf(pair: number, name: number): number {
  const subject = Math.floor(pair / keyFactor);
  return spread(Math.imul(subject, 0x9e3779b1 | 0) ^ Math.imul(pair - subject * keyFactor, 0x85ebca6b) ^ name);
}

const normalisedMax = 65_536;

/** Remembers the names it was asked for lately: a payment's is asked for more than once. */
function createNormaliser(): (name: string) => HolderName {
  const known = new Map<string, HolderName>();
  return (name) => {
    let own = known.get(name);
    if (own === undefined) {
      own = holderName(name);
      if (known.size === normalisedMax) known.clear();
      known.set(name, own);
    }
    return own;
  };
}
