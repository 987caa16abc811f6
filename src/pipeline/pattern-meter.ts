import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import type { ScoringEngine } from '../scoring/engine.js';

/**
 * Counts what the patterns do while transactions are scored, over all engines of this process and since it started. Warm-ups
 * do not count: nothing is looked for in them.
 */
export interface PatternMeter {
  /** Makes the same engines, counted. */
  metering<Args extends readonly unknown[], E extends MeteredEngine>(make: (...args: Args) => E): (...args: Args) => E;
  read(): Promise<MeterReading>;
}

export interface MeterReading extends MeterCounts {
  /** Kinds of data (`login`, `list:black` …) that any engine has seen; null where the engines do not tell. */
  readonly seen: ReadonlySet<string> | null;
}

export interface MeterCounts {
  /** Transactions scored: their debit legs, so that over all partitions each counts once. */
  readonly scored: number;
  readonly patterns: readonly PatternCount[];
}

export interface PatternCount {
  readonly id: string;
  readonly version: number;
  readonly hits: number;
  /** Times the condition was asked, failed by a fault, and took; where the engine counts them. */
  readonly asked: number;
  readonly faults: number;
  readonly nanoseconds: number;
  /** Of a shadow: how often all parts of its condition held but this one, as it is written; since the engines were made. */
  readonly nearMisses: Readonly<Record<string, number>>;
}

/** What an engine may tell of its patterns, since it was made. */
export interface PatternStats {
  readonly id: string;
  readonly version: number;
  readonly asked: number;
  readonly held: number;
  readonly faults: number;
  readonly nanoseconds: number;
  readonly nearMisses?: ReadonlyMap<string, number>;
}

type MeteredEngine = Pick<ScoringEngine, 'score' | 'scoreBatch'> & {
  readonly takeReference?: Taking;
  readonly takeForward?: Taking;
  readonly patternStats?: () => readonly PatternStats[];
  readonly stats: () => object;
};

/** Takes something in that may hit; the hits come last. */
type Taking = (...args: never[]) => void;

type Counts = { -readonly [K in keyof PatternCount]: PatternCount[K] };

export function createPatternMeter(): PatternMeter {
  const counts = new Map<string, Counts>();
  /** What each engine told last. Engines that were replaced are let go. */
  const engines = new Set<{ readonly engine: WeakRef<MeteredEngine>; readonly last: Map<string, PatternStats> }>();
  let scored = 0;

  function countOf(id: string, version: number): Counts {
    const key = `${id}@${version}`;
    const known = counts.get(key);
    if (known) return known;
    const made = { id, version, hits: 0, asked: 0, faults: 0, nanoseconds: 0, nearMisses: {} };
    counts.set(key, made);
    return made;
  }

  function* living(): Generator<{ engine: MeteredEngine; last: Map<string, PatternStats> }> {
    for (const known of engines) {
      const engine = known.engine.deref();
      if (engine) yield { engine, last: known.last };
      else engines.delete(known);
    }
  }

  /** Adds what the engine has counted since it was asked last. */
  function addDifferences(engine: MeteredEngine, last: Map<string, PatternStats>): void {
    for (const stats of engine.patternStats?.() ?? []) {
      const key = `${stats.id}@${stats.version}`;
      const before = last.get(key);
      // Fewer than before: the engine has begun to count anew.
      const since = (what: 'asked' | 'faults' | 'nanoseconds'): number =>
        stats[what] - (before && before[what] <= stats[what] ? before[what] : 0);
      const count = countOf(stats.id, stats.version);
      count.asked += since('asked');
      count.faults += since('faults');
      count.nanoseconds += since('nanoseconds');
      const near = new Map(Object.entries(count.nearMisses));
      for (const [part, times] of stats.nearMisses ?? []) near.set(part, (near.get(part) ?? 0) + times);
      count.nearMisses = Object.fromEntries(near);
      last.set(key, { ...stats });
    }
  }

  function meter<E extends MeteredEngine>(engine: E): E {
    engines.add({ engine: new WeakRef<MeteredEngine>(engine), last: new Map() });
    const counted = (transactions: number, hits: Hit[], from: number): void => {
      scored += transactions;
      for (let i = from; i < hits.length; i++) countOf(hits[i]!.pattern, hits[i]!.version).hits++;
    };
    const counting = (take: Taking): Taking => {
      const taken = take.bind(engine);
      return (...args) => {
        const hits = (args as unknown[]).at(-1) as Hit[] | null;
        const before = hits?.length ?? 0;
        taken(...args);
        if (hits) counted(0, hits, before);
      };
    };
    const { takeReference, takeForward } = engine;
    const [score, scoreBatch] = [engine.score.bind(engine), engine.scoreBatch.bind(engine)];
    return Object.assign(engine, {
      ...(takeReference ? { takeReference: counting(takeReference) } : {}),
      ...(takeForward ? { takeForward: counting(takeForward) } : {}),
      score(...args: Parameters<ScoringEngine['score']>) {
        const [, roles, , , hits] = args;
        const before = hits?.length ?? 0;
        score(...args);
        if (hits) counted((roles & role.debit) === 0 ? 0 : 1, hits, before);
      },
      scoreBatch(...args: Parameters<ScoringEngine['scoreBatch']>) {
        const [batch, hits] = args;
        const before = hits?.length ?? 0;
        scoreBatch(...args);
        if (!hits) return;
        let debits = 0;
        for (let i = 0; i < batch.count; i++) if ((batch.roles[i]! & role.debit) !== 0) debits++;
        counted(debits, hits, before);
      },
    });
  }

  function seenByAny(): ReadonlySet<string> | null {
    const seen = [...living()].flatMap(({ engine }) => (engine.stats() as { seen?: ReadonlySet<string> }).seen ?? []);
    return union(seen);
  }

  return {
    metering:
      (make) =>
      (...args) =>
        meter(make(...args)),
    read() {
      for (const count of counts.values()) count.nearMisses = {};
      for (const { engine, last } of living()) addDifferences(engine, last);
      const patterns = [...counts.values()].map((count) => ({ ...count }));
      return Promise.resolve({ scored, patterns, seen: seenByAny() });
    },
  };
}

/** What several meters of one process read together. */
export function sumOfReadings(readings: readonly MeterReading[]): MeterReading {
  const patterns = new Map<string, Counts>();
  for (const one of readings.flatMap((reading) => reading.patterns)) {
    const key = `${one.id}@${one.version}`;
    const sum = patterns.get(key);
    if (!sum) {
      patterns.set(key, { ...one });
      continue;
    }
    for (const what of ['hits', 'asked', 'faults', 'nanoseconds'] as const) sum[what] += one[what];
    const near = { ...sum.nearMisses };
    for (const [part, times] of Object.entries(one.nearMisses)) near[part] = (near[part] ?? 0) + times;
    sum.nearMisses = near;
  }
  return {
    scored: readings.reduce((sum, { scored }) => sum + scored, 0),
    patterns: [...patterns.values()],
    seen: union(readings.flatMap(({ seen }) => seen ?? [])),
  };
}

function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> | null {
  return sets.length === 0 ? null : new Set(sets.flatMap((set) => [...set]));
}
