import { dayMs } from '../domain/bank-day.js';
import type { Trace, TraceForward } from '../domain/forward.js';
import { createAccountHeads } from './account-heads.js';
import { createCaseLevels } from './case-levels.js';
import { createGatherings } from './gatherings.js';
import { RowPool } from './row-pool.js';
import { snapshotted, type Snapshotted } from './snapshot-state.js';

/**
 * Paths of money. A trace begins with a payment that is the first between two accounts or at least `seedFen`. It travels on
 * with a payment that leaves an account the trace has reached, not before it came there and within its life, where that
 * payment is a first one, or at least `seedFen`, or passes the trace's money on: `passShareMin` to `passShareMax` of what
 * brought it, within `passMs`. Coming back to its origin it is told as a cycle and ends. Two paths of one trace that meet go on
 * as the shorter one, so that money going to and fro does not make a path long. With `hopsMax` payments it ends.
 *
 * `quick` of a trace counts the payments at the end of its path that form one quick chain: a payment that passes on at least
 * `quickShare` (and at most `passShareMax`) of what brought the trace, within `quickMs`, has one more than that; any other, and
 * the first, has 1. So n is money that n − 1 accounts in a row passed on quickly.
 *
 * Case levels: what an account with level k pays within `caseMs` of getting it gives the payee k + 1, up to `caseLevelMax`,
 * unless the payee has a smaller one by then; the same one again begins its time anew.
 *
 * An account keeps the `tracesMax` traces that came last (those whose life was over by then make room first), and a payment
 * carries as many: the payer's own, then those that came last. All figures are judgements.
 */
export interface Traces {
  /**
   * A payment leaves `account`; null where nothing travels on. `isFirst`: the first payment between the two in 30 days as the
   * payer sees it, or the payer has no history of its own. `originKey`: 53-bit hash of the payer's account; `circle`: hash
   * of its circle, 0 for none.
   */
  leave(
    account: number,
    timeMs: number,
    amountFen: number,
    isFirst: boolean,
    originKey: number,
    circle: number,
  ): { readonly traces: readonly Trace[]; readonly caseLevel: number; readonly caseMs: number } | null;
  /**
   * They arrive at `account` from the account with key `via`. The same arrival again changes nothing and is no news. One object
   * for all answers: read it before the next call.
   */
  arrive(
    account: number,
    via: number,
    timeMs: number,
    amountFen: number,
    forward: Pick<TraceForward, 'traces' | 'caseLevel' | 'caseMs' | 'payerNew'>,
    ownKey: number,
    ownCircle: number,
  ): Arrival;
  setCase(account: number, level: number, timeMs: number): void;
  /** The smallest level of the account at `atMs`; NaN if it had none by then. */
  caseLevel(account: number, atMs: number): number;
  /**
   * Different payers that brought a trace of one and the same origin after `sinceMs` and up to `atMs`, by paths of exactly `hops`
   * payments (0: of any length): the most over the origins of the latest arrival up to `atMs`. Of an account the latest 128
   * traces that came are counted.
   */
  gathered(account: number, hops: number, sinceMs: number, atMs: number): number;
  /**
   * Forgets traces, and arrivals to be gathered, whose life was over before `beforeMs`, of so many accounts at each call; all
   * come in turn. Case levels stay.
   */
  sweep(beforeMs: number, accountsMost?: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

export interface Arrival {
  /** Payments of the longest path, and of the longest quick chain, that arrive; 0 where no trace does. */
  hops: number;
  quick: number;
  /** What the account got by this payment, NaN for nothing, and how long before the payer had got its own. */
  caseLevel: number;
  caseSeconds: number;
  /**
   * Payments of the cycle that closes, 0 for none; this amount / the amount that left, and how long ago it left. Of several the
   * one whose share is nearest to 1, then the latest to leave, then the longest.
   */
  cycle: number;
  cycleShare: number;
  cycleSeconds: number;
  /** The same of a trace that another account of the own circle began. */
  isCircle: boolean;
  circleShare: number;
  circleHops: number;
  circleSeconds: number;
  payerNew: number;
  /** Something came that was not known: a trace by a new way or at another time, or a case level. */
  isNews: boolean;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export const traceRules = {
  lifeMs: 14 * dayMs,
  hopsMax: 6,
  tracesMax: 8,
  seedFen: 50_000_000,
  quickMs: 30 * minuteMs,
  quickShare: 0.8,
  passShareMin: 0.8,
  passShareMax: 1.02,
  passMs: 72 * hourMs,
  caseMs: 24 * hourMs,
  caseLevelMax: 5,
} as const;

/** Columns of a kept trace; chains run from the latest arrival to the earliest. */
const column = {
  arrivedMs: 0,
  hops: 1,
  startMs: 2,
  amountFen: 3,
  origin: 4,
  arrivedFen: 5,
  quick: 6,
  circle: 7,
} as const;
const width = 8;

export function createTraces(): Traces {
  const kept = new RowPool(width);
  const heads = createAccountHeads();
  const gatherings = createGatherings(traceRules.lifeMs);
  const cases = createCaseLevels();
  const arrival = emptyArrival();

  const of = (row: number, wanted: number): number => kept.numbers[row * width + wanted]!;

  /** `latestMs`: the latest arrival at the account. By then the life must not be over either, or it would matter who forgets when. */
  function travels(row: number, timeMs: number, amountFen: number, isFirst: boolean, latestMs: number): boolean {
    if (of(row, column.arrivedMs) > timeMs) return false;
    if (Math.max(timeMs, latestMs) - of(row, column.startMs) > traceRules.lifeMs) return false;
    if (isFirst || amountFen >= traceRules.seedFen) return true;
    const share = amountFen / of(row, column.arrivedFen);
    return (
      timeMs - of(row, column.arrivedMs) <= traceRules.passMs &&
      share >= traceRules.passShareMin &&
      share <= traceRules.passShareMax
    );
  }

  function quickOf(row: number, timeMs: number, amountFen: number): number {
    const share = amountFen / of(row, column.arrivedFen);
    const isQuick =
      timeMs - of(row, column.arrivedMs) <= traceRules.quickMs &&
      share >= traceRules.quickShare &&
      share <= traceRules.passShareMax;
    return isQuick ? of(row, column.quick) + 1 : 1;
  }

  function leaving(row: number, timeMs: number, amountFen: number): Trace {
    return {
      origin: of(row, column.origin),
      circle: of(row, column.circle),
      startMs: of(row, column.startMs),
      amountFen: of(row, column.amountFen),
      hops: of(row, column.hops) + 1,
      quick: quickOf(row, timeMs, amountFen),
    };
  }

  /** Keeps a trace at its place of the account's chain; false where it is known or too old. */
  function keep(account: number, values: readonly number[]): boolean {
    const head = heads.get(account);
    for (let row = head; row >= 0; row = kept.next[row]!) if (compare(kept.numbers, row * width, values) === 0) return false;
    const latestMs = Math.max(head < 0 ? -Infinity : of(head, column.arrivedMs), values[column.arrivedMs]!);
    if (latestMs - values[column.startMs]! > traceRules.lifeMs) return false;
    if (length(account) >= traceRules.tracesMax) dropDead(account, latestMs);
    let newer = -1;
    let older = heads.get(account);
    let count = 0;
    for (; older >= 0 && compare(kept.numbers, older * width, values) > 0; older = kept.next[older]!) {
      newer = older;
      count++;
    }
    if (count >= traceRules.tracesMax) return false;
    const row = kept.take();
    kept.numbers.set(values, row * width);
    kept.next[row] = older;
    if (newer < 0) heads.set(account, row);
    else kept.next[newer] = row;
    if (length(account) > traceRules.tracesMax) dropLast(account);
    return true;
  }

  function length(account: number): number {
    let count = 0;
    for (let row = heads.get(account); row >= 0; row = kept.next[row]!) count++;
    return count;
  }

  function dropLast(account: number): void {
    let previous = heads.get(account);
    for (let row = kept.next[previous]!; kept.next[row]! >= 0; row = kept.next[row]!) previous = row;
    kept.release(kept.next[previous]!);
    kept.next[previous] = -1;
  }

  /** Drops the traces whose life was over before `beforeMs`. */
  function dropDead(account: number, beforeMs: number): void {
    let previous = -1;
    for (let row = heads.get(account); row >= 0;) {
      const following = kept.next[row]!;
      if (of(row, column.startMs) + traceRules.lifeMs < beforeMs) {
        if (previous >= 0) kept.next[previous] = following;
        else heads.set(account, following);
        kept.release(row);
      } else previous = row;
      row = following;
    }
  }

  return {
    leave(account, timeMs, amountFen, isFirst, originKey, circle) {
      const traces: Trace[] = [];
      if (isFirst || amountFen >= traceRules.seedFen)
        traces.push({ origin: originKey, circle, startMs: timeMs, amountFen, hops: 1, quick: 1 });
      const own = traces.length;
      const head = heads.get(account);
      for (let row = head; row >= 0; row = kept.next[row]!) {
        if (travels(row, timeMs, amountFen, isFirst, of(head, column.arrivedMs)))
          join(traces, own, leaving(row, timeMs, amountFen));
      }
      traces.length = Math.min(traces.length, traceRules.tracesMax);
      const caseMs = cases.sinceMs(account, timeMs);
      const isCase = timeMs - caseMs <= traceRules.caseMs && cases.level(account, timeMs) < traceRules.caseLevelMax;
      if (traces.length === 0 && !isCase) return null;
      return { traces, caseLevel: isCase ? cases.level(account, timeMs) : -1, caseMs: isCase ? caseMs : 0 };
    },
    arrive(account, via, timeMs, amountFen, forward, ownKey, ownCircle) {
      clear(arrival);
      arrival.payerNew = forward.payerNew;
      let cycle: Trace | undefined;
      let circle: Trace | undefined;
      for (const trace of forward.traces) {
        if (!isAlive(trace, timeMs)) continue;
        arrival.hops = Math.max(arrival.hops, trace.hops);
        arrival.quick = Math.max(arrival.quick, trace.quick);
        if (gatherings.note(account, trace.origin, via, timeMs, trace.hops)) arrival.isNews = true;
        if (trace.origin === ownKey) {
          cycle = nearer(cycle, trace, amountFen);
          continue;
        }
        if (ownCircle !== 0 && trace.circle === ownCircle) circle = nearer(circle, trace, amountFen);
        if (trace.hops < traceRules.hopsMax && keep(account, rowOf(trace, timeMs, amountFen))) arrival.isNews = true;
      }
      if (cycle) {
        arrival.cycle = cycle.hops;
        arrival.cycleShare = amountFen / cycle.amountFen;
        arrival.cycleSeconds = (timeMs - cycle.startMs) / 1000;
      }
      if (circle) {
        arrival.isCircle = true;
        arrival.circleHops = circle.hops;
        arrival.circleShare = amountFen / circle.amountFen;
        arrival.circleSeconds = (timeMs - circle.startMs) / 1000;
      }
      const level = forward.caseLevel + 1;
      const ageMs = timeMs - forward.caseMs;
      const isCase = level >= 1 && level <= traceRules.caseLevelMax && ageMs >= 0 && ageMs <= traceRules.caseMs;
      if (isCase && !(cases.level(account, timeMs) < level)) {
        arrival.caseLevel = level;
        arrival.caseSeconds = ageMs / 1000;
        if (cases.set(account, level, timeMs)) arrival.isNews = true;
      }
      return arrival;
    },
    setCase(account, level, timeMs) {
      cases.set(account, level, timeMs);
    },
    caseLevel: (account, atMs) => cases.level(account, atMs),
    gathered: (account, hops, sinceMs, atMs) => gatherings.count(account, hops, sinceMs, atMs),
    sweep(beforeMs, accountsMost = Infinity) {
      heads.inTurn(accountsMost, (account) => dropDead(account, beforeMs));
      gatherings.sweep(beforeMs, accountsMost);
    },
    bytesUsed: () => kept.bytesUsed() + heads.bytesUsed() + gatherings.bytesUsed() + cases.bytesUsed(),
    snapshot: snapshotted(
      () => ({
        kept: kept.snapshot.save(),
        heads: heads.snapshot.save(),
        gatherings: gatherings.snapshot.save(),
        cases: cases.snapshot.save(),
      }),
      (state) => {
        kept.snapshot.load(state.kept);
        heads.snapshot.load(state.heads);
        gatherings.snapshot.load(state.gatherings);
        cases.snapshot.load(state.cases);
      },
    ),
  };
}

function isAlive(trace: Trace, timeMs: number): boolean {
  return trace.startMs <= timeMs && timeMs - trace.startMs <= traceRules.lifeMs && trace.hops <= traceRules.hopsMax;
}

const rowOf = (trace: Trace, timeMs: number, amountFen: number): number[] => [
  timeMs,
  trace.hops,
  trace.startMs,
  trace.amountFen,
  trace.origin,
  amountFen,
  trace.quick,
  trace.circle,
];

/** Order of the kept row at `base` against one of such values: by arrival, and else by anything that is the same everywhere. */
function compare(numbers: Float64Array, base: number, values: readonly number[]): number {
  for (let i = 0; i < width; i++) {
    const difference = numbers[base + i]! - values[i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Adds a trace, or shortens the same one by another path; the first `own` of the traces are the payer's. */
function join(traces: Trace[], own: number, trace: Trace): void {
  for (let i = own; i < traces.length; i++) {
    const other = traces[i]!;
    if (other.origin !== trace.origin || other.startMs !== trace.startMs || other.amountFen !== trace.amountFen) continue;
    if (trace.hops < other.hops || (trace.hops === other.hops && trace.quick > other.quick)) traces[i] = trace;
    return;
  }
  traces.push(trace);
}

/** Which of two traces that came back is told: the one whose amount is nearer to `amountFen`, the later, the longer. */
function nearer(one: Trace | undefined, other: Trace, amountFen: number): Trace {
  if (!one) return other;
  const distance = (trace: Trace): number => Math.abs(Math.log(amountFen / trace.amountFen));
  const difference = distance(one) - distance(other) || other.startMs - one.startMs || other.hops - one.hops;
  return difference > 0 ? other : one;
}

function emptyArrival(): Arrival {
  return {
    hops: 0,
    quick: 0,
    caseLevel: NaN,
    caseSeconds: NaN,
    cycle: 0,
    cycleShare: NaN,
    cycleSeconds: NaN,
    isCircle: false,
    circleShare: NaN,
    circleHops: 0,
    circleSeconds: NaN,
    payerNew: 0,
    isNews: false,
  };
}

function clear(arrival: Arrival): void {
  arrival.hops = 0;
  arrival.quick = 0;
  arrival.caseLevel = NaN;
  arrival.caseSeconds = NaN;
  arrival.cycle = 0;
  arrival.cycleShare = NaN;
  arrival.cycleSeconds = NaN;
  arrival.isCircle = false;
  arrival.circleShare = NaN;
  arrival.circleHops = 0;
  arrival.circleSeconds = NaN;
  arrival.payerNew = 0;
  arrival.isNews = false;
}
