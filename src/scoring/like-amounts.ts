import { spread } from './byte-table.js';
import { type LegLog, legWord } from './leg-log.js';
import { kept, type Snapshotted, snapshotted } from './snapshot-state.js';

/**
 * The legs of a subject by side and size of amount: a question after amounts like this one's looks at the legs of a few classes
 * of amounts instead of all. An octave has 16 classes; the legs of a class are chained in order of time.
 */
export interface LikeAmounts {
  /** Takes in a leg that is in the log, `slot` -1 of nothing before it. */
  add(slot: number, subject: number, isDebit: boolean): void;
  /** Takes out a leg that leaves the log. */
  remove(slot: number): void;
  /**
   * Legs of one side after `startMs` whose amount is `amountFen` within the tolerance (a share), of each class the latest 2,000;
   * counted up to `most`.
   */
  count(subject: number, isDebit: boolean, amountFen: number, tolerance: number, startMs: number, most: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

/** Bounds a walk over the legs of one class. */
export const likeLegsMax = 2_000;

const classesMax = 1 << 10;
const classBits = 4;

/** An entry: its key in `keys`, the latest leg of its chain in `heads` (-1: none, then it goes when room is needed). */
export function createLikeAmounts(legs: LegLog): LikeAmounts {
  let keys = new Float64Array(512);
  let heads = new Int32Array(512);
  /** Open addressing over the keys: entry + 1, 0 for free. */
  let index = new Int32Array(1_024);
  let used = 0;

  function find(key: number): number {
    const mask = index.length - 1;
    for (let at = hashOf(key) & mask; ; at = (at + 1) & mask) {
      const entry = index[at]! - 1;
      if (entry < 0 || keys[entry] === key) return entry;
    }
  }

  function open(key: number): number {
    if (used === keys.length) rebuild();
    const entry = used++;
    keys[entry] = key;
    heads[entry] = -1;
    place(entry);
    return entry;
  }

  function place(entry: number): void {
    const mask = index.length - 1;
    let at = hashOf(keys[entry]!) & mask;
    while (index[at]! > 0) at = (at + 1) & mask;
    index[at] = entry + 1;
  }

  /** Drops the entries without legs; doubles the tables where that does not make enough room. */
  function rebuild(): void {
    let live = 0;
    for (let entry = 0; entry < used; entry++) {
      if (heads[entry]! < 0) continue;
      if (live !== entry) {
        keys[live] = keys[entry]!;
        heads[live] = heads[entry]!;
        for (let slot = heads[live]!; slot >= 0; slot = legs.word(slot, legWord.previousOfAmount))
          legs.setWord(slot, legWord.amountEntry, live);
      }
      live++;
    }
    used = live;
    if (live * 4 > keys.length * 3) {
      const [widerKeys, widerHeads] = [new Float64Array(keys.length * 2), new Int32Array(heads.length * 2)];
      widerKeys.set(keys);
      widerHeads.set(heads);
      [keys, heads, index] = [widerKeys, widerHeads, new Int32Array(index.length * 2)];
    } else index.fill(0);
    for (let entry = 0; entry < used; entry++) place(entry);
  }

  return {
    add(slot, subject, isDebit) {
      const key = keyOf(subject, isDebit, classOf(legs.amountFen(slot)));
      const found = find(key);
      const entry = found < 0 ? open(key) : found;
      const timeMs = legs.timeMs(slot);
      let next = -1;
      let previous = heads[entry]!;
      while (previous >= 0 && legs.timeMs(previous) > timeMs) {
        next = previous;
        previous = legs.word(previous, legWord.previousOfAmount);
      }
      legs.setWord(slot, legWord.amountEntry, entry);
      legs.setWord(slot, legWord.previousOfAmount, previous);
      legs.setWord(slot, legWord.nextOfAmount, next);
      if (previous >= 0) legs.setWord(previous, legWord.nextOfAmount, slot);
      if (next < 0) heads[entry] = slot;
      else legs.setWord(next, legWord.previousOfAmount, slot);
    },
    remove(slot) {
      const entry = legs.word(slot, legWord.amountEntry);
      if (entry < 0) return;
      const previous = legs.word(slot, legWord.previousOfAmount);
      const next = legs.word(slot, legWord.nextOfAmount);
      if (previous >= 0) legs.setWord(previous, legWord.nextOfAmount, next);
      if (next < 0) heads[entry] = previous;
      else legs.setWord(next, legWord.previousOfAmount, previous);
    },
    count(subject, isDebit, amountFen, tolerance, startMs, most) {
      const farthest = amountFen * tolerance;
      const last = classOf(amountFen + farthest);
      let count = 0;
      for (let amountClass = classOf(Math.max(0, amountFen - farthest)); amountClass <= last; amountClass++) {
        const entry = find(keyOf(subject, isDebit, amountClass));
        if (entry < 0) continue;
        let slot = heads[entry]!;
        for (let steps = 0; slot >= 0 && legs.timeMs(slot) > startMs && steps < likeLegsMax; steps++) {
          if (Math.abs(legs.amountFen(slot) - amountFen) <= farthest && ++count >= most) return count;
          slot = legs.word(slot, legWord.previousOfAmount);
        }
      }
      return count;
    },
    bytesUsed: () => keys.byteLength + heads.byteLength + index.byteLength,
    snapshot: snapshotted(
      () => ({ keys: kept(keys, used), heads: kept(heads, used), used }),
      (state) => {
        ({ keys, heads, used } = state);
        index = new Int32Array(keys.length * 2);
        for (let entry = 0; entry < used; entry++) place(entry);
      },
    ),
  };
}

function keyOf(subject: number, isDebit: boolean, amountClass: number): number {
  return (subject * 2 + (isDebit ? 1 : 0)) * classesMax + amountClass;
}

function hashOf(key: number): number {
  const subject = Math.floor(key / classesMax);
  return spread(Math.imul(subject, 0x9e3779b1 | 0) ^ (key - subject * classesMax));
}

const one = new Float64Array(1);
const halves = new Uint32Array(one.buffer);
/** The exponent of 1 as it stands in a double. */
const exponentOfOne = 1_023;

/** A class of amounts: never smaller for a larger amount. 0 for less than 1 fen. */
function classOf(amountFen: number): number {
  if (!(amountFen >= 1)) return 0;
  one[0] = amountFen;
  return Math.min(classesMax - 1, (halves[1]! >>> (20 - classBits)) - (exponentOfOne << classBits) + 1);
}
