import { dayMs } from '../domain/bank-day.js';
import type { CompiledPattern } from '../scoring/pattern-set.js';
import { type Life, seedName } from './pattern-life.js';
import type { MeterCounts } from './pattern-meter.js';
import { PatternSetBroken, type PatternStore } from './pattern-store.js';

/**
 * Watches patterns that people have put into force lately: one that floods goes back to shadow, and one whose condition fails
 * by a fault is not scored any more. What ships and what the guard itself has put back is not new.
 */
export interface PatternGuard {
  /** One look; what it does is in the log of changes. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

export interface GuardSettings {
  /** How long a pattern counts as new. */
  readonly guardDays: number;
  /** The rate is taken over at least so many transactions. */
  readonly guardTransactionsMin: number;
  /** More faults than this and the pattern is not asked any more. */
  readonly faultsMax: number;
  readonly guardEveryMs: number;
}

export interface GuardOptions {
  readonly store: Pick<PatternStore, 'life' | 'load' | 'command'>;
  readonly meter: { read(): Promise<MeterCounts> };
  readonly settings: GuardSettings;
  readonly clock: { now(): number };
  readonly telemetry: {
    patternTakenBack(fact: { pattern: string; version: number; to: 'shadow' | 'draft'; reason: string }): void;
    patternGuardFailed(error: unknown): void;
  };
}

const guardName = 'guard';

export function createPatternGuard(options: GuardOptions): PatternGuard {
  const { store, meter, settings, clock, telemetry } = options;
  const windows = new Map<string, RateWindow>();
  /** Faults that were there when the pattern was last stopped. */
  const forgiven = new Map<string, number>();

  async function check(): Promise<void> {
    const life = await store.life();
    const patterns = await patternsOf(life.set);
    if (!patterns) return;
    const counts = await meter.read();
    for (const { pattern, version } of failing(counts, forgiven, settings.faultsMax)) {
      if (!patterns.some((one) => one.pattern.id === pattern && one.pattern.version === version)) continue;
      const { faults = 0 } = counts.patterns.find((one) => one.id === pattern && one.version === version) ?? {};
      forgiven.set(`${pattern}@${version}`, faults);
      const reason = `its condition failed by a fault on ${faults} leg${faults === 1 ? '' : 's'}`;
      await act({ kind: 'stop', pattern, version, reason }, 'draft');
    }
    const watched = newPatterns(life, patterns, clock.now() - settings.guardDays * dayMs);
    for (const key of windows.keys()) if (!watched.has(key)) windows.delete(key);
    for (const [key, { pattern }] of watched) {
      const window = windows.get(key) ?? createRateWindow(settings.guardTransactionsMin);
      windows.set(key, window);
      const perThousand = window.take(counts.scored, hitsOf(counts, pattern.id, pattern.version));
      const { ceiling } = pattern;
      if (perThousand === null || perThousand <= ceiling) continue;
      const reason = `${perThousand.toFixed(1)} hits per 1,000 transactions, more than its ceiling of ${ceiling}`;
      const command = { kind: 'take-back', pattern: pattern.id, version: pattern.version, reason } as const;
      // What it replaced protects until people have decided; where it cannot come back, the flood ends all the same.
      if (!(await act({ ...command, reinstates: true }, 'shadow'))) await act({ ...command, reinstates: false }, 'shadow');
    }
  }

  /** Null for a set that this release cannot load: it is not in force here, and scoring says so. */
  async function patternsOf(set: string): Promise<readonly CompiledPattern[] | null> {
    try {
      return (await store.load(set)).patterns;
    } catch (error) {
      if (error instanceof PatternSetBroken) return null;
      throw error;
    }
  }

  async function act(command: Parameters<PatternStore['command']>[0] & { kind: 'stop' | 'take-back' }, to: 'shadow' | 'draft') {
    const outcome = await store.command(command, guardName, clock.now());
    const { pattern, version, reason } = command;
    if (outcome.kind === 'done') telemetry.patternTakenBack({ pattern, version, to, reason });
    return outcome.kind !== 'broken';
  }

  let under: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    under = under.then(check).catch((error: unknown) => telemetry.patternGuardFailed(error));
  }, settings.guardEveryMs);
  timer.unref();
  return {
    check,
    async stop() {
      clearInterval(timer);
      await under;
    },
  };
}

/** Active patterns that a person has put into force after that time; the key changes when they are put into force anew. */
function newPatterns(life: Life, patterns: readonly CompiledPattern[], afterMs: number): Map<string, CompiledPattern> {
  const found = new Map<string, CompiledPattern>();
  for (const compiled of patterns) {
    const { id, version } = compiled.pattern;
    const line = life.lines[id];
    if (line?.active !== version || !line.activated || compiled.state !== 'active') continue;
    const { by, at } = line.activated;
    if (by === seedName || by === guardName || Date.parse(at) < afterMs) continue;
    found.set(`${id}@${version} ${at}`, compiled);
  }
  return found;
}

function failing(
  { patterns }: MeterCounts,
  forgiven: ReadonlyMap<string, number>,
  faultsMax: number,
): { pattern: string; version: number }[] {
  return patterns
    .filter(({ id, version, faults }) => faults - (forgiven.get(`${id}@${version}`) ?? 0) > faultsMax)
    .map(({ id: pattern, version }) => ({ pattern, version }));
}

function hitsOf({ patterns }: MeterCounts, id: string, version: number): number {
  return patterns.find((one) => one.id === id && one.version === version)?.hits ?? 0;
}

export interface RateWindow {
  /** Hits per 1,000 over the latest `transactionsMin` transactions or a few more; null before there were so many. */
  take(scored: number, hits: number): number | null;
}

const pointsPerWindow = 10;

/** Both counts only grow. The first call is where the window begins. */
export function createRateWindow(transactionsMin: number): RateWindow {
  const points: { scored: number; hits: number }[] = [];
  return {
    take(scored, hits) {
      const last = points.at(-1);
      if (!last || scored - last.scored >= transactionsMin / pointsPerWindow) points.push({ scored, hits });
      // The newest point that lies far enough back is where the window begins; older ones are not needed any more.
      const begin = points.findLastIndex((point) => scored - point.scored >= transactionsMin);
      if (begin < 0) return null;
      points.splice(0, begin);
      const [from] = points;
      return from ? ((hits - from.hits) / (scored - from.scored)) * 1_000 : null;
    },
  };
}
