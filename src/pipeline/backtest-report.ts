import { formatDay } from '../domain/bank-day.js';
import { levels, type Level } from '../domain/warning.js';
import type { ChangesResult } from './backtest-changes.js';
import type { Draft } from './backtest-sets.js';
import type { BacktestWarning, Tally } from './backtest-tally.js';
import { quantile, ratio } from './measures.js';
import type { Evaluation } from './score-evaluation.js';

/** What drafts would do, beside what is in force, over the same history. */
export interface BacktestReport {
  readonly drafts: readonly Draft[];
  /** Hits and warnings are those of the drafts and of what they replace; of other patterns there are none. */
  readonly alone: boolean;
  readonly patternSets: BothSides<string>;
  readonly history: {
    readonly from: string;
    readonly to: string;
    readonly transactions: number;
    readonly references: number;
    readonly rejected: number;
    readonly accounts: number;
  };
  readonly hits: BothSides<number>;
  readonly warnings: BothSides<WarningCounts>;
  readonly days: readonly BacktestDay[];
  readonly byPattern: Readonly<Record<string, BothSides<{ readonly hits: number; readonly accounts: number }>>>;
  /** Warnings that an enterprise would get in a month. */
  readonly load: BothSides<Load>;
  readonly changes: ChangesResult & { readonly warnings: WarningChanges };
  /** Of each draft, whether there are labels or not. */
  readonly wouldFire: Readonly<Record<string, WouldFire>>;
  /** Null where the history has no labels. */
  readonly evaluation: BothSides<Evaluation> | null;
}

export interface BothSides<T> {
  readonly inForce: T;
  readonly draft: T;
}

export interface WarningCounts {
  readonly total: number;
  readonly byLevel: Readonly<Record<Level, number>>;
  /** Those that the enterprise itself is told. */
  readonly toEnterprise: number;
}

export interface BacktestDay {
  readonly day: string;
  readonly transactions: number;
  readonly hits: BothSides<number>;
  readonly warnings: BothSides<Readonly<Record<Level, number>>>;
}

export interface Load {
  /** Enterprises that would be warned at all, and months in which one would. */
  readonly enterprises: number;
  readonly enterpriseMonths: number;
  readonly median: number | null;
  readonly p95: number | null;
  readonly max: number | null;
  /** How many enterprise-months have 1, 2, 3 … warnings. */
  readonly histogram: Readonly<Record<string, number>>;
}

export interface WarningChanges {
  readonly added: number;
  readonly gone: number;
  readonly risen: number;
  readonly fallen: number;
}

export interface WouldFire {
  readonly hits: number;
  readonly hitsPerThousand: number | null;
  readonly accounts: number;
  readonly warnings: number;
}

export interface BacktestFacts {
  readonly drafts: readonly Draft[];
  readonly alone: boolean;
  readonly patternSets: BothSides<string>;
  readonly history: Omit<BacktestReport['history'], 'from' | 'to'>;
  /** Transactions by day number. */
  readonly transactionsByDay: ReadonlyMap<number, number>;
  readonly tallies: BothSides<Tally>;
  readonly changes: ChangesResult;
  readonly evaluation: BothSides<Evaluation> | null;
}

export function reportOf(facts: BacktestFacts): BacktestReport {
  const { drafts, alone, patternSets, history, transactionsByDay, tallies, changes, evaluation } = facts;
  const warnings = both(tallies, (tally) => tally.warnings());
  const patterns = new Set(
    [tallies.inForce, tallies.draft].flatMap((tally) => [...tally.hitsByDay().values()].flatMap((of) => [...of.keys()])),
  );
  const days = [...transactionsByDay.keys()].toSorted((a, b) => a - b);
  return {
    drafts,
    alone,
    patternSets,
    history: { from: dayText(days[0]), to: dayText(days.at(-1)), ...history },
    hits: both(tallies, ({ hits }) => hits),
    warnings: both(warnings, countsOf),
    days: daysOf(days, transactionsByDay, tallies, warnings),
    byPattern: Object.fromEntries(
      [...patterns]
        .toSorted()
        .map((pattern) => [
          pattern,
          both(tallies, (tally) => ({ hits: hitsOf(tally, pattern), accounts: tally.subjectsOf(pattern) })),
        ]),
    ),
    load: both(warnings, loadOf),
    changes: { ...changes, warnings: warningChanges(warnings) },
    wouldFire: Object.fromEntries(
      drafts.map(({ id }) => {
        const hits = hitsOf(tallies.draft, id);
        return [
          id,
          {
            hits,
            hitsPerThousand: ratio(hits * 1_000, history.transactions),
            accounts: tallies.draft.subjectsOf(id),
            warnings: warnings.draft.filter((warning) => warning.patterns.includes(id)).length,
          },
        ];
      }),
    ),
    evaluation,
  };
}

export function both<A, B>({ inForce, draft }: BothSides<A>, map: (side: A) => B): BothSides<B> {
  return { inForce: map(inForce), draft: map(draft) };
}

function dayText(day: number | undefined): string {
  return day === undefined ? '' : formatDay(day);
}

function hitsOf(tally: Tally, pattern: string): number {
  return [...tally.hitsByDay().values()].reduce((sum, of) => sum + (of.get(pattern) ?? 0), 0);
}

const noWarnings = (): Record<Level, number> => ({ blue: 0, yellow: 0, orange: 0, red: 0 });

function countsOf(warnings: readonly BacktestWarning[]): WarningCounts {
  const byLevel = noWarnings();
  for (const { level } of warnings) byLevel[level]++;
  return { total: warnings.length, byLevel, toEnterprise: warnings.filter(({ tellsEnterprise }) => tellsEnterprise).length };
}

function daysOf(
  days: readonly number[],
  transactionsByDay: ReadonlyMap<number, number>,
  tallies: BothSides<Tally>,
  warnings: BothSides<readonly BacktestWarning[]>,
): BacktestDay[] {
  const warningsByDay = both(warnings, (of) => {
    const byDay = new Map<string, Record<Level, number>>();
    for (const { day, level } of of) {
      const counts = byDay.get(day) ?? noWarnings();
      counts[level]++;
      byDay.set(day, counts);
    }
    return byDay;
  });
  return days.map((number) => {
    const day = formatDay(number);
    return {
      day,
      transactions: transactionsByDay.get(number) ?? 0,
      hits: both(tallies, (tally) => [...(tally.hitsByDay().get(day)?.values() ?? [])].reduce((a, b) => a + b, 0)),
      warnings: both(warningsByDay, (byDay) => byDay.get(day) ?? noWarnings()),
    };
  });
}

function loadOf(warnings: readonly BacktestWarning[]): Load {
  const months = new Map<string, number>();
  const enterprises = new Set<string>();
  for (const { key, day, tellsEnterprise } of warnings) {
    if (!tellsEnterprise) continue;
    enterprises.add(key);
    const month = `${key} ${day.slice(0, 7)}`;
    months.set(month, (months.get(month) ?? 0) + 1);
  }
  const counts = [...months.values()];
  const histogram: Record<string, number> = {};
  for (const count of counts.toSorted((a, b) => a - b)) histogram[count] = (histogram[count] ?? 0) + 1;
  return {
    enterprises: enterprises.size,
    enterpriseMonths: counts.length,
    median: quantile(counts, 0.5),
    p95: quantile(counts, 0.95),
    max: quantile(counts, 1),
    histogram,
  };
}

function warningChanges({ inForce, draft }: BothSides<readonly BacktestWarning[]>): WarningChanges {
  const before = new Map(inForce.map((warning) => [warning.id, warning]));
  const changes = { added: 0, gone: 0, risen: 0, fallen: 0 };
  for (const { id, level } of draft) {
    const earlier = before.get(id);
    before.delete(id);
    if (!earlier) changes.added++;
    else if (levels.indexOf(level) > levels.indexOf(earlier.level)) changes.risen++;
    else if (level !== earlier.level) changes.fallen++;
  }
  return { ...changes, gone: before.size };
}
