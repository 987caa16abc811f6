import { dayMs, dayNumber, shanghaiOffsetMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import { legWord } from './leg-log.js';
import type { EventQueue } from './event-queue.js';
import { eventsVisitedMax } from './named-windows.js';
import { pairWord } from './pair-table.js';
import { baseBit, column, type StreamRef } from './plan.js';
import type { Window } from './window.js';

/** Features that walk a subject's or a pair's legs instead of keeping a number: asked seldom, after cheaper conditions held. */

/** Bounds on a walk, so that a busy account costs no more than this per question. */
export const subjectLegsMax = 2_000;
export const pairLegsMax = 256;
/** Evidence is looked for among so many of the latest legs of the account and of each stream. */
const evidenceVisitedMax = 200;
const extremeLegsMax = 4_096;

export const placeKinds = ['province', 'region', 'hour', 'day', 'month'] as const;
export type PlaceKind = (typeof placeKinds)[number];

/** Where legs are found: the chain of the subject's legs for a base stream, the queue of a named window else. */
export interface Source {
  /** What legs of the chain carry: the bit of a base stream, or a named stream's mark. 0 with a named window. */
  readonly bit: number;
  readonly stream: StreamRef;
  readonly window: Window;
  /** Number of the named window, -1 for the chain. */
  readonly named: number;
}

/** One leg as a walk sees it; the object is used again. */
export interface Seen {
  timeMs: number;
  amountFen: number;
  slot: number;
  other: number;
  region: number;
}

const seen: Seen = { timeMs: 0, amountFen: 0, slot: -1, other: -1, region: 0 };

/** Legs inside the window in no promised order, until `visit` says false. */
export function eachSeen(leg: Evaluation, source: Source, ofPair: boolean, visit: (seen: Seen) => boolean): void {
  if (source.named >= 0) {
    const look = (events: EventQueue, event: number): boolean => {
      seen.other = events.other(event);
      seen.timeMs = events.timeMs(event);
      seen.amountFen = events.amountFen(event);
      seen.slot = events.slot(event);
      seen.region = events.region(event);
      return visit(seen);
    };
    if (ofPair) leg.memory.named.eachOfPair(leg, source.named, leg.otherNumber, look);
    else leg.memory.named.each(leg, source.named, look);
    return;
  }
  const { legs, pairs } = leg.memory;
  const look = (slot: number): boolean => {
    if ((legs.word(slot, legWord.streams) & source.bit) === 0) return true;
    seen.timeMs = legs.timeMs(slot);
    seen.amountFen = legs.amountFen(slot);
    seen.slot = slot;
    seen.other = pairs.otherOf(legs.word(slot, legWord.pair));
    seen.region = legs.word(slot, legWord.region);
    return visit(seen);
  };
  if (ofPair) eachOfPair(leg, source.window, source.stream.index < 0 ? pairLegsMax : eventsVisitedMax, look);
  else eachLeg(leg, source.window, subjectLegsMax, look);
}

/** The same as a list in order of time; legs of one instant in the order in which they came. */
export function listSeen(leg: Evaluation, source: Source, ofPair: boolean): Seen[] {
  const list: Seen[] = [];
  eachSeen(leg, source, ofPair, (one) => {
    list.push({ ...one });
    return list.length < eventsVisitedMax;
  });
  // Walks go from the latest back.
  return list.toReversed().toSorted((a, b) => a.timeMs - b.timeMs);
}

/** Largest or smallest amount: kept as a number, and found again by a walk once the leg that held it has left the window. */
export function extreme(kind: 'max' | 'min', cell: number, bit: number, window: Window): (leg: Evaluation) => number {
  const better = kind === 'max' ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  return (leg) => {
    const known = leg.row[leg.base + cell]!;
    if (!Number.isNaN(known)) return known;
    const { legs } = leg.memory;
    let best = Number.NaN;
    eachLeg(leg, window, extremeLegsMax, (slot) => {
      if ((legs.word(slot, legWord.streams) & bit) === 0) return true;
      const amountFen = legs.amountFen(slot);
      if (Number.isNaN(best) || better(amountFen, best)) best = amountFen;
      return true;
    });
    leg.row[leg.base + cell] = best;
    return best;
  };
}

const placeOf: Readonly<Record<PlaceKind, (seen: Seen) => number>> = {
  province: ({ region }) => Math.floor(region / 10_000),
  region: ({ region }) => region,
  hour: ({ timeMs }) => Math.floor((timeMs + shanghaiOffsetMs) / 3_600_000),
  day: ({ timeMs }) => dayNumber(timeMs),
  month: ({ timeMs }) => {
    const date = new Date(dayNumber(timeMs) * dayMs);
    return date.getUTCFullYear() * 12 + date.getUTCMonth();
  },
};

export function distinctPlaces(leg: Evaluation, source: Source, kind: PlaceKind): number {
  const places = new Set<number>();
  const isPlace = kind === 'province' || kind === 'region';
  eachSeen(leg, source, false, (one) => {
    const place = placeOf[kind](one);
    if (!isPlace || place !== 0) places.add(place);
    return true;
  });
  return places.size;
}

/** Counted up to `most`. */
export function countSeen(leg: Evaluation, source: Source, ofPair: boolean, most: number): number {
  if (source.named >= 0 && ofPair) return leg.memory.named.countOfPair(leg, source.named, leg.otherNumber);
  let count = 0;
  eachSeen(leg, source, ofPair, () => ++count < most);
  return count;
}

export function sumSeen(leg: Evaluation, source: Source, ofPair: boolean): number {
  if (source.named >= 0 && ofPair) return leg.memory.named.sumOfPair(leg, source.named, leg.otherNumber);
  let sum = 0;
  eachSeen(leg, source, ofPair, ({ amountFen }) => {
    sum += amountFen;
    return true;
  });
  return sum;
}

export function matched(leg: Evaluation, source: Source, tolerance: number): boolean {
  const wantedFen = leg.view.amountFen;
  let found = false;
  eachSeen(leg, source, true, ({ slot, amountFen }) => {
    found = slot !== leg.slot && Math.abs(amountFen - wantedFen) <= wantedFen * tolerance;
    return !found;
  });
  return found;
}

/** Legs whose amount is this leg's within the tolerance, this leg included where it is in the stream; counted up to `most`. */
export function similar(leg: Evaluation, source: Source, ofPair: boolean, tolerance: number, most: number): number {
  const wantedFen = leg.view.amountFen;
  if (source.named < 0 && !ofPair) {
    const { likeAmounts } = leg.memory;
    const startMs = source.window.startMs(leg.clockMs);
    const { bit } = source.stream;
    const debits = bit === baseBit.credit ? 0 : likeAmounts.count(leg.subject, true, wantedFen, tolerance, startMs, most);
    if (bit === baseBit.debit || debits >= most) return debits;
    return debits + likeAmounts.count(leg.subject, false, wantedFen, tolerance, startMs, most - debits);
  }
  let count = 0;
  eachSeen(leg, source, ofPair, ({ amountFen }) => {
    if (Math.abs(amountFen - wantedFen) <= wantedFen * tolerance) count++;
    return count < most;
  });
  return count;
}

/** Standard deviation over mean; NaN with fewer than two legs. */
export function variation(leg: Evaluation, source: Source, ofPair: boolean): number {
  const amounts = listSeen(leg, source, ofPair).map(({ amountFen }) => amountFen);
  if (amounts.length < 2) return Number.NaN;
  const mean = amounts.reduce((sum, amount) => sum + amount, 0) / amounts.length;
  const variance = amounts.reduce((sum, amount) => sum + (amount - mean) ** 2, 0) / amounts.length;
  return Math.sqrt(variance) / mean;
}

/** How many legs have the most frequent amount, and how many legs there are. */
export function modeOf(leg: Evaluation, source: Source): { readonly most: number; readonly all: number } {
  const counts = new Map<number, number>();
  let all = 0;
  let most = 0;
  eachSeen(leg, source, false, ({ amountFen }) => {
    const count = (counts.get(amountFen) ?? 0) + 1;
    counts.set(amountFen, count);
    if (count > most) most = count;
    all++;
    return true;
  });
  return { most, all };
}

/** Legs with the counterparty that end in this one, each at least `factor` times the one before. */
export function rising(leg: Evaluation, source: Source, factor: number): number {
  const list = listSeen(leg, source, true).filter(({ timeMs }) => timeMs <= leg.timeMs);
  let run = 1;
  for (let i = list.length - 1; i > 0; i--) {
    if (list[i]!.amountFen < list[i - 1]!.amountFen * factor) break;
    run++;
  }
  return list.length === 0 ? 0 : run;
}

/** Counterparties with two legs in the window that lie at least so far apart. */
export function repeated(leg: Evaluation, source: Source, gapMs: number): number {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  eachSeen(leg, source, false, ({ other, timeMs }) => {
    if (other < 0) return true;
    if (timeMs < (first.get(other) ?? Infinity)) first.set(other, timeMs);
    if (timeMs > (last.get(other) ?? -Infinity)) last.set(other, timeMs);
    return true;
  });
  let count = 0;
  for (const [other, atMs] of first) if (last.get(other)! - atMs >= gapMs) count++;
  return count;
}

export const recentKinds = ['round', 'lucky', 'tail'] as const;
export type RecentKind = (typeof recentKinds)[number];

/** How many of the account's latest legs are round, lucky or tagged by their fen; NaN with fewer than `most` legs. */
export function recent(leg: Evaluation, kind: RecentKind, most: number): number {
  const amounts: number[] = [];
  const { legs } = leg.memory;
  for (
    let slot = leg.row[leg.base + column.newest]!;
    slot >= 0 && amounts.length < most;
    slot = legs.word(slot, legWord.previous)
  )
    amounts.push(legs.amountFen(slot));
  if (amounts.length < most) return Number.NaN;
  if (kind === 'round') return amounts.filter((amountFen) => amountFen % 100_000 === 0).length;
  if (kind === 'lucky') return amounts.filter(isLucky).length;
  return tagged(amounts);
}

/** Amounts that differ in their fen alone, as orders are told apart: the most that share one yuan amount. */
function tagged(amounts: readonly number[]): number {
  const tails = new Map<number, Set<number>>();
  for (const amountFen of amounts) {
    const tail = amountFen % 100;
    if (tail === 0) continue;
    const base = Math.floor(amountFen / 100);
    tails.set(base, (tails.get(base) ?? new Set()).add(tail));
  }
  return Math.max(0, ...[...tails.values()].map((distinct) => distinct.size));
}

/** 666, 888, 999, 520, 1314, 168 … yuan, with any number of noughts behind. */
const luckyYuan = /^(6{3,}|8{3,}|9{3,}|520|521|1314|1688?8?)0*$/;

export function isLucky(amountFen: number): boolean {
  return amountFen % 100 === 0 && luckyYuan.test(String(amountFen / 100));
}

/** What a pattern looked at: base streams by their bits, named windows by number, and how far back. */
export interface LooksAt {
  bits: number;
  spanMs: number;
  readonly named: number[];
}

/** Transaction ids of the legs that were looked at, newest first, this leg's own first; as far as single legs are kept. */
export function evidence(leg: Evaluation, looksAt: LooksAt, most: number): string[] {
  const { legs, named } = leg.memory;
  const keptFromMs = leg.clockMs - leg.memory.legsMs;
  latest.begin(most * slotsPerId);
  const look = (events: EventQueue, event: number): boolean => {
    const slot = events.slot(event);
    // A slot that was given to another leg since shows itself by its subject or by its time.
    // Legs older than promised may be there still, or not: they are left out.
    if (slot < 0 || events.timeMs(event) <= keptFromMs || legs.word(slot, legWord.subject) !== leg.subject) return true;
    const timeMs = legs.timeMs(slot);
    if (timeMs > keptFromMs && timeMs <= events.timeMs(event)) latest.add(slot, timeMs);
    return true;
  };
  for (const window of looksAt.named) named.each(leg, window, look, evidenceVisitedMax);
  const startMs = leg.clockMs - Math.min(looksAt.spanMs, leg.memory.legsMs);
  let slot = leg.row[leg.base + column.newest]!;
  for (let steps = 0; slot >= 0 && steps < evidenceVisitedMax; steps++) {
    const timeMs = legs.timeMs(slot);
    if (looksAt.bits === 0 || timeMs <= startMs || latest.isTooOld(timeMs)) break;
    if ((legs.word(slot, legWord.streams) & looksAt.bits) !== 0) latest.add(slot, timeMs);
    slot = legs.word(slot, legWord.previous);
  }
  const ids = [leg.view.id];
  for (let i = 0; i < latest.size && ids.length < most; i++) {
    const id = legs.transactionId(latest.slots[i]!);
    if (!ids.includes(id)) ids.push(id);
  }
  return ids;
}

/** A payment between two accounts of one number has two legs. */
const slotsPerId = 2;

/** The legs that came last of those that were found, latest first; those of one time as they were found. */
const latest = {
  slots: new Int32Array(256),
  timesMs: new Float64Array(256),
  size: 0,
  most: 0,
  begin(most: number): void {
    this.size = 0;
    this.most = most;
  },
  isTooOld(timeMs: number): boolean {
    return this.size === this.most && timeMs <= this.timesMs[this.size - 1]!;
  },
  add(slot: number, timeMs: number): void {
    if (this.isTooOld(timeMs)) return;
    const { slots, timesMs } = this;
    for (let i = 0; i < this.size; i++) if (slots[i] === slot) return;
    let at = this.size < this.most ? this.size++ : this.size - 1;
    for (; at > 0 && timesMs[at - 1]! < timeMs; at--) {
      slots[at] = slots[at - 1]!;
      timesMs[at] = timesMs[at - 1]!;
    }
    slots[at] = slot;
    timesMs[at] = timeMs;
  },
};

/** The subject's legs inside the window, newest first. */
function eachLeg(leg: Evaluation, window: Window, most: number, visit: (slot: number) => boolean): void {
  const { legs } = leg.memory;
  const startMs = window.startMs(leg.clockMs);
  let slot = leg.row[leg.base + column.newest]!;
  for (let steps = 0; slot >= 0 && steps < most; steps++) {
    if (legs.timeMs(slot) <= startMs || !visit(slot)) return;
    slot = legs.word(slot, legWord.previous);
  }
}

/** The pair's legs inside the window, latest first, until `visit` says false. */
function eachOfPair(leg: Evaluation, window: Window, most: number, visit: (slot: number) => boolean): void {
  if (leg.pair < 0) return;
  const { legs, pairs } = leg.memory;
  const startMs = window.startMs(leg.clockMs);
  let slot = pairs.words[leg.pair * pairs.width * 2 + pairWord.lastLeg]!;
  for (let steps = 0; slot >= 0 && steps < most; steps++) {
    if (legs.timeMs(slot) <= startMs || !visit(slot)) return;
    slot = legs.word(slot, legWord.previousOfPair);
  }
}
