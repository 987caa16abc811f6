import type { ListChange } from '../domain/reference.js';
import { spread, widen } from './byte-table.js';
import { mapEntryBytes, RowPool } from './row-pool.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';
import { hashBytes } from './transaction-view.js';

/**
 * Named lists of accounts, credit codes, addresses … asked as at a time.
 *
 * The changes of an entry are decisions, ordered by `time` whatever order they come in (those of one time: as they came). Each
 * speaks for the times from its `from` (else its `time`) until its `until` (exclusive; else for ever), and of those that speak
 * for the time asked about the latest decides: `add` puts the entry on, `remove` takes it off. So a removal ends what was added
 * before, and a removal with `until` interrupts it. A change equal to one already taken changes nothing.
 *
 * Of one entry at most 64 changes are kept: beyond that the oldest two become one where both add or both remove without a gap
 * between, as a list sent anew each day does, and else the oldest is forgotten.
 */
export interface Lists {
  take(change: ListChange): void;
  /** A number for a list's name, for `hasBytes`; the same name has the same number. */
  numberOf(name: string): number;
  /** The number of a list that has one already; -1, which no entry is on, for any other. Changes nothing. */
  knownNumberOf(name: string): number;
  /** The bytes (UTF-8) are on the list at `atMs`; `hash` is `hashBytes` of them. */
  hasBytes(list: number, bytes: Uint8Array, start: number, end: number, hash: number, atMs: number): boolean;
  hasText(list: number, text: string, atMs: number): boolean;
  /** Something was ever sent for this list. */
  isKnown(list: number): boolean;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const changesMax = 64;
/** Columns of a change: when it was decided, what it speaks for, and whether it adds (1) or removes (0). */
const column = { decidedMs: 0, fromMs: 1, untilMs: 2, adds: 3 } as const;

/** A place of the table: hash, entry + 1 (0 = free). An entry: its list, its bytes, its newest change. */
const placeWords = 2;
const entryWords = 5;
const word = { hash: 0, list: 1, start: 2, length: 3, newest: 4 } as const;

const encoder = new TextEncoder();

export function createLists(): Lists {
  const numbers = new Map<string, number>();
  let known: boolean[] = [];
  const changes = new RowPool(4);
  let mask = 255;
  let places = new Int32Array((mask + 1) * placeWords);
  let entries = new Int32Array(128 * entryWords);
  let entryCount = 0;
  let arena = new Uint8Array(4096);
  let arenaUsed = 0;
  let scratch = new Uint8Array(512);

  function numberOf(name: string): number {
    let number = numbers.get(name);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(name, number);
      known.push(false);
    }
    return number;
  }

  /** Place of the entry, or the free one where it would be. */
  function placeOf(list: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    let at = placeHash(list, hash) & mask;
    for (;;) {
      const entry = places[at * placeWords + 1]! - 1;
      if (entry < 0 || (places[at * placeWords] === hash && isEntry(entry, list, bytes, start, end))) return at;
      at = (at + 1) & mask;
    }
  }

  function isEntry(entry: number, list: number, bytes: Uint8Array, start: number, end: number): boolean {
    const base = entry * entryWords;
    if (entries[base + word.list] !== list || entries[base + word.length] !== end - start) return false;
    const kept = entries[base + word.start]!;
    for (let i = 0; i < end - start; i++) if (arena[kept + i] !== bytes[start + i]) return false;
    return true;
  }

  function open(place: number, list: number, length: number, hash: number): number {
    const entry = entryCount++;
    if (entryCount * entryWords > entries.length) entries = widen(entries, new Int32Array(entries.length * 2));
    while (arenaUsed + length > arena.length) arena = widen(arena, new Uint8Array(arena.length * 2));
    arena.set(scratch.subarray(0, length), arenaUsed);
    entries.set([hash, list, arenaUsed, length, -1], entry * entryWords);
    arenaUsed += length;
    places[place * placeWords] = hash;
    places[place * placeWords + 1] = entry + 1;
    if (entryCount * 2 > mask) rebuild();
    return entry;
  }

  function rebuild(): void {
    mask = mask * 2 + 1;
    places = new Int32Array((mask + 1) * placeWords);
    for (let entry = 0; entry < entryCount; entry++) {
      const hash = entries[entry * entryWords + word.hash]!;
      let at = placeHash(entries[entry * entryWords + word.list]!, hash) & mask;
      while (places[at * placeWords + 1] !== 0) at = (at + 1) & mask;
      places[at * placeWords] = hash;
      places[at * placeWords + 1] = entry + 1;
    }
  }

  /** The text's bytes stand in `scratch` from then on; their number. */
  function encode(text: string): number {
    if (text.length * 3 > scratch.length) scratch = new Uint8Array(text.length * 3);
    return encoder.encodeInto(text, scratch).written;
  }

  function decide(entry: number, decidedMs: number, fromMs: number, untilMs: number, adds: number): void {
    const newest = entry * entryWords + word.newest;
    const { next } = changes;
    let later = -1;
    let at = entries[newest]!;
    for (; at >= 0 && changes.numbers[at * 4]! > decidedMs; at = next[at]!) {
      if (covers(at, fromMs, untilMs)) return;
      later = at;
    }
    const before = at;
    let count = 0;
    for (; at >= 0 && changes.numbers[at * 4] === decidedMs; at = next[at]!) {
      const base = at * 4;
      const { numbers } = changes;
      if (
        numbers[base + column.fromMs] === fromMs &&
        numbers[base + column.untilMs] === untilMs &&
        numbers[base + column.adds] === adds
      )
        return;
    }
    for (at = entries[newest]!; at >= 0; at = next[at]!) count++;
    if (count >= changesMax && before < 0) return;
    const change = changes.take();
    changes.numbers.set([decidedMs, fromMs, untilMs, adds], change * 4);
    changes.next[change] = before;
    if (later < 0) entries[newest] = change;
    else changes.next[later] = change;
    dropCovered(change);
    if (count >= changesMax) foldOldest(entries[newest]!);
  }

  /** Drops the earlier decisions that can decide nothing any more. Those of the same time stay: they may be sent again. */
  function dropCovered(change: number): void {
    const base = change * 4;
    const decidedMs = changes.numbers[base]!;
    let previous = change;
    for (let at = changes.next[change]!; at >= 0; at = changes.next[previous]!) {
      const own = at * 4;
      const isCovered =
        changes.numbers[own]! < decidedMs &&
        changes.numbers[own + column.fromMs]! >= changes.numbers[base + column.fromMs]! &&
        changes.numbers[own + column.untilMs]! <= changes.numbers[base + column.untilMs]!;
      if (isCovered) {
        changes.next[previous] = changes.next[at]!;
        changes.release(at);
      } else previous = at;
    }
  }

  function covers(change: number, fromMs: number, untilMs: number): boolean {
    return changes.numbers[change * 4 + column.fromMs]! <= fromMs && changes.numbers[change * 4 + column.untilMs]! >= untilMs;
  }

  function foldOldest(newest: number): void {
    let count = 1;
    let beforeLast = -1;
    let last = newest;
    for (; changes.next[last]! >= 0; last = changes.next[last]!) {
      beforeLast = last;
      count++;
    }
    if (count <= changesMax) return;
    const { numbers } = changes;
    const kept = beforeLast * 4;
    const gone = last * 4;
    const isOne =
      numbers[kept + column.adds] === numbers[gone + column.adds] &&
      numbers[kept + column.fromMs]! <= numbers[gone + column.untilMs]! &&
      numbers[gone + column.fromMs]! <= numbers[kept + column.untilMs]!;
    if (isOne) {
      numbers[kept + column.fromMs] = Math.min(numbers[kept + column.fromMs]!, numbers[gone + column.fromMs]!);
      numbers[kept + column.untilMs] = Math.max(numbers[kept + column.untilMs]!, numbers[gone + column.untilMs]!);
    }
    changes.next[beforeLast] = -1;
    changes.release(last);
  }

  function hasBytes(list: number, bytes: Uint8Array, start: number, end: number, hash: number, atMs: number): boolean {
    if (known[list] !== true) return false;
    const entry = places[placeOf(list, bytes, start, end, hash) * placeWords + 1]! - 1;
    if (entry < 0) return false;
    for (let change = entries[entry * entryWords + word.newest]!; change >= 0; change = changes.next[change]!) {
      const base = change * 4;
      if (changes.numbers[base + column.fromMs]! <= atMs && atMs < changes.numbers[base + column.untilMs]!)
        return changes.numbers[base + column.adds] === 1;
    }
    return false;
  }

  return {
    take(change) {
      const list = numberOf(change.list);
      known[list] = true;
      const decidedMs = Date.parse(change.time);
      const fromMs = change.from === undefined ? decidedMs : Date.parse(change.from);
      const untilMs = change.until === undefined ? Infinity : Date.parse(change.until);
      if (untilMs <= fromMs) return;
      for (const text of change.entries) {
        const length = encode(text);
        const hash = hashBytes(scratch, 0, length);
        const place = placeOf(list, scratch, 0, length, hash);
        const entry = places[place * placeWords + 1]! - 1;
        decide(entry < 0 ? open(place, list, length, hash) : entry, decidedMs, fromMs, untilMs, change.action === 'add' ? 1 : 0);
      }
    },
    numberOf,
    knownNumberOf: (name) => numbers.get(name) ?? -1,
    hasBytes,
    hasText(list, text, atMs) {
      if (known[list] !== true) return false;
      const length = encode(text);
      return hasBytes(list, scratch, 0, length, hashBytes(scratch, 0, length), atMs);
    },
    isKnown: (list) => known[list] === true,
    bytesUsed: () =>
      places.byteLength + entries.byteLength + arena.byteLength + changes.bytesUsed() + numbers.size * (mapEntryBytes + 40),
    snapshot: snapshotted(
      () => ({
        names: [...numbers.keys()],
        known: [...known],
        changes: changes.snapshot.save(),
        places: kept(places),
        entries: kept(entries, entryCount * entryWords),
        arena: kept(arena, arenaUsed),
        entryCount,
        arenaUsed,
      }),
      (state) => {
        ({ places, entries, arena, entryCount, arenaUsed } = state);
        mask = places.length / placeWords - 1;
        known = [...state.known];
        numbers.clear();
        state.names.forEach((name, number) => numbers.set(name, number));
        changes.snapshot.load(state.changes);
      },
    ),
  };
}

function placeHash(list: number, hash: number): number {
  return spread(hash ^ Math.imul(list + 1, 0x9e3779b1 | 0));
}
