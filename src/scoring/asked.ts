import type { Evaluation } from './evaluation.js';
import { generate } from './generated.js';
import type { Pattern } from './pattern.js';
import type { CompiledPattern } from './pattern-set.js';
import { corporateKind } from './transaction-view.js';
import { askingOnce, type Helper, prelude } from './typed-code.js';

/**
 * The patterns that are asked on one occasion, as one function. A pattern whose evaluation throws is stopped alone: the others
 * are asked one by one on that leg, and from then on together without it.
 */
export interface Asked {
  /** Calls `found` with each pattern that holds. */
  evaluate(leg: Evaluation, found: (pattern: CompiledPattern) => void): void;
}

/** What became of a pattern since the set was taken over. */
export interface PatternStats {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  /** How often it was asked, held, and threw; it is asked no more after it threw. */
  asked: number;
  held: number;
  faults: number;
  /** Measured on a sample of the legs, where the engine was given a clock to measure with; else 0. */
  nanoseconds: number;
  /** Shadows only: how often all parts of the condition but one held, by the number of that part. */
  readonly near: number[];
}

/** The same by the part as it is written. */
export function nearMissesOf({ conjuncts }: CompiledPattern, near: readonly number[]): ReadonlyMap<string, number> {
  const misses = new Map<string, number>();
  near.forEach((count, part) => {
    if (count === 0) return;
    const { written } = conjuncts[part]!;
    misses.set(written, (misses.get(written) ?? 0) + count);
  });
  return misses;
}

/** Every so many legs the patterns are asked one by one with a clock, where nothing else is said. */
const measuredEveryByDefault = 256;
/** Of so many pairs of readings the closest says what a reading costs. */
const clockReadings = 5;

type AskAll = (leg: Evaluation, held: number[], near: (pattern: number, part: number) => void) => void;
type AskOne = (leg: Evaluation) => boolean;

export interface AskOptions {
  readonly helpers: readonly Helper[];
  /** See `NamedWindows`. */
  readonly groupOf: (window: number) => number;
  readonly statsOf: (pattern: CompiledPattern) => PatternStats;
  /** Nanoseconds of a monotonic clock. It never changes a result. */
  readonly measure?: (() => number) | undefined;
  /** One leg in so many is measured. */
  readonly measuredEvery?: number | undefined;
}

export function createAsked(
  patterns: readonly CompiledPattern[],
  { helpers, groupOf, statsOf, measure, measuredEvery = measuredEveryByDefault }: AskOptions,
): Asked {
  let live = patterns;
  let askAll = generateAll(live, helpers, groupOf);
  const ones = new Map<CompiledPattern, AskOne>();
  const held: number[] = [];
  let nearOf = live.map((pattern) => statsOf(pattern).near);
  let sinceMeasured = 0;

  function one(pattern: CompiledPattern): AskOne {
    const known = ones.get(pattern) ?? generateOne(pattern, helpers);
    ones.set(pattern, known);
    return known;
  }

  function near(pattern: number, part: number): void {
    nearOf[pattern]![part]!++;
  }

  function oneByOne(leg: Evaluation): void {
    held.length = 0;
    const faulty = new Set<CompiledPattern>();
    live.forEach((pattern, p) => {
      try {
        if (one(pattern)(leg)) held.push(p);
      } catch {
        statsOf(pattern).faults++;
        faulty.add(pattern);
      }
    });
    if (faulty.size === 0) return;
    const holding = held.map((p) => live[p]!).filter((pattern) => !faulty.has(pattern));
    live = live.filter((pattern) => !faulty.has(pattern));
    askAll = generateAll(live, helpers, groupOf);
    nearOf = live.map((pattern) => statsOf(pattern).near);
    held.length = 0;
    for (const pattern of holding) held.push(live.indexOf(pattern));
  }

  function measured(leg: Evaluation, now: () => number): void {
    const readingNs = costOfReading(now);
    for (const pattern of live) {
      const ask = one(pattern);
      const fromNs = now();
      ask(leg);
      statsOf(pattern).nanoseconds += Math.max(0, now() - fromNs - readingNs) * measuredEvery;
    }
  }

  return {
    evaluate(leg, found) {
      if (live.length === 0) return;
      // Setting a length is dear, and hardly ever is there anything to forget.
      if (held.length > 0) held.length = 0;
      try {
        askAll(leg, held, near);
        if (measure && ++sinceMeasured === measuredEvery) {
          sinceMeasured = 0;
          measured(leg, measure);
        }
      } catch {
        oneByOne(leg);
      }
      for (let i = 0; i < held.length; i++) found(live[held[i]!]!);
    },
  };
}

/** Many a condition costs less than the clock that measures it. */
function costOfReading(now: () => number): number {
  let closest = Infinity;
  for (let i = 0; i < clockReadings; i++) {
    const fromNs = now();
    closest = Math.min(closest, now() - fromNs);
  }
  return closest;
}

function generateAll(patterns: readonly CompiledPattern[], helpers: readonly Helper[], groupOf: AskOptions['groupOf']): AskAll {
  const questions = (subjects: Pattern['subjects']): string =>
    patterns.map((compiled, p) => (compiled.pattern.subjects === subjects ? question(compiled, p) : '')).join('\n');
  const { declared, code } = askingOnce(
    `${questions('any')}\nif (self.kind !== ${corporateKind}) return;\n${questions('corporate')}`,
    groupOf,
  );
  const body = `${prelude} ${declared}\n${code}`;
  return generate<(h: readonly Helper[]) => AskAll>(['h'], `return (leg, held, near) => { ${body} };`)(helpers);
}

/** Shadows are watched: which part of the condition was the only one that did not hold. */
function question({ code, state, conjuncts }: CompiledPattern, p: number): string {
  if (state !== 'shadow' || conjuncts.length < 2) return `if (${code}) held.push(${p});`;
  const ordered = conjuncts.map((part, i) => ({ part, i })).toSorted((a, b) => a.part.cost - b.part.cost);
  const parts = ordered.map(({ part, i }) => `if (n < 2 && !(${part.code})) { n += 1; w = ${i}; }`).join(' ');
  return `{ let n = 0, w = 0; ${parts} if (n === 0) held.push(${p}); else if (n === 1) near(${p}, w); }`;
}

function generateOne({ code, pattern }: CompiledPattern, helpers: readonly Helper[]): AskOne {
  const kind = pattern.subjects === 'corporate' ? `if (self.kind !== ${corporateKind}) return false;` : '';
  return generate<(h: readonly Helper[]) => AskOne>(['h'], `return (leg) => { ${prelude} ${kind} return ${code}; };`)(helpers);
}
