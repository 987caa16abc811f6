import { dayNumber, shanghaiOffsetMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import { legWord } from './leg-log.js';
import { pairColumn } from './pair-table.js';
import { column } from './plan.js';
import type { Window } from './window.js';

/** Features that walk a subject's or a pair's legs instead of keeping a number: asked seldom, after cheaper conditions held. */

/** Bounds on a walk, so that a busy account costs no more than this per question. */
export const subjectLegsMax = 2_000;
export const pairLegsMax = 256;
const extremeLegsMax = 4_096;

export const placeKinds = ['province', 'hour', 'day'] as const;
export type PlaceKind = (typeof placeKinds)[number];

/** Largest or smallest amount: kept as a number, and found again by a walk once the leg that held it has left the window. */
export function extreme(kind: 'max' | 'min', cell: number, bit: number, window: Window): (leg: Evaluation) => number {
  const better = kind === 'max' ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  return (leg) => {
    const known = leg.row[leg.base + cell]!;
    if (!Number.isNaN(known)) return known;
    let best = Number.NaN;
    eachLeg(leg, window, extremeLegsMax, (slot) => {
      if ((leg.legs.word(slot, legWord.streams) & bit) === 0) return;
      const amountFen = leg.legs.amountFen(slot);
      if (Number.isNaN(best) || better(amountFen, best)) best = amountFen;
    });
    leg.row[leg.base + cell] = best;
    return best;
  };
}

export function distinctPlaces(leg: Evaluation, bit: number, kind: PlaceKind, window: Window): number {
  const seen = new Set<number>();
  eachLeg(leg, window, subjectLegsMax, (slot) => {
    if ((leg.legs.word(slot, legWord.streams) & bit) === 0) return;
    const timeMs = leg.legs.timeMs(slot);
    if (kind === 'province') {
      const province = leg.legs.word(slot, legWord.province);
      if (province !== 0) seen.add(province);
    } else seen.add(kind === 'day' ? dayNumber(timeMs) : Math.floor((timeMs + shanghaiOffsetMs) / 3_600_000));
  });
  return seen.size;
}

export function pairCount(leg: Evaluation, bit: number, window: Window): number {
  let count = 0;
  eachOfPair(leg, window, (slot) => {
    if ((leg.legs.word(slot, legWord.streams) & bit) !== 0) count++;
    return true;
  });
  return count;
}

export function matched(leg: Evaluation, bit: number, window: Window, tolerance: number): boolean {
  const amountFen = leg.view.amountFen;
  let found = false;
  eachOfPair(leg, window, (slot) => {
    if (slot === leg.slot || (leg.legs.word(slot, legWord.streams) & bit) === 0) return true;
    if (Math.abs(leg.legs.amountFen(slot) - amountFen) > amountFen * tolerance) return true;
    found = true;
    return false;
  });
  return found;
}

/** Transaction ids of the subject's legs in the streams, newest first, this leg's own first. */
export function evidence(leg: Evaluation, bits: number, spanMs: number, most: number): string[] {
  const own = leg.view.id;
  const ids = [own];
  const startMs = leg.clockMs - spanMs;
  let slot = leg.row[leg.base + column.newest]!;
  for (let steps = 0; slot >= 0 && steps < subjectLegsMax && ids.length < most; steps++) {
    if (leg.legs.timeMs(slot) <= startMs) break;
    if ((leg.legs.word(slot, legWord.streams) & bits) !== 0) {
      const id = leg.legs.transactionId(slot);
      if (!ids.includes(id)) ids.push(id);
    }
    slot = leg.legs.word(slot, legWord.previous);
  }
  return ids;
}

/** The subject's legs inside the window, newest first. */
function eachLeg(leg: Evaluation, window: Window, most: number, visit: (slot: number) => void): void {
  const startMs = window.startMs(leg.clockMs);
  let slot = leg.row[leg.base + column.newest]!;
  for (let steps = 0; slot >= 0 && steps < most; steps++) {
    if (leg.legs.timeMs(slot) <= startMs) return;
    visit(slot);
    slot = leg.legs.word(slot, legWord.previous);
  }
}

/**
 * The pair's legs inside the window, latest arrival first, until `visit` says false. Legs of a pair are chained in order of
 * arrival; a link into a block that has been used again shows itself by an arrival number that is not smaller.
 */
function eachOfPair(leg: Evaluation, window: Window, visit: (slot: number) => boolean): void {
  if (leg.pair < 0) return;
  const startMs = window.startMs(leg.clockMs);
  let slot = leg.pairs.numbers[leg.pair * leg.pairs.width + pairColumn.lastLeg]!;
  let arrival = Infinity;
  for (let steps = 0; slot >= 0 && steps < pairLegsMax; steps++) {
    const own = leg.legs.arrival(slot);
    if (own >= arrival || leg.legs.word(slot, legWord.pair) !== leg.pair) return;
    arrival = own;
    const timeMs = leg.legs.timeMs(slot);
    if (timeMs > startMs && timeMs <= leg.clockMs && !visit(slot)) return;
    slot = leg.legs.word(slot, legWord.previousOfPair);
  }
}
