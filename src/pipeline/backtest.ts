import { dayMs, dayNumber, startOfDayMs } from '../domain/bank-day.js';
import type { CalendarData } from '../domain/calendar.js';
import type { Hit } from '../domain/hit.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import { setId, type PatternSource } from '../scoring/pattern-set.js';
import { createChanges, type ChangesResult } from './backtest-changes.js';
import { both, reportOf, type BacktestReport, type BothSides } from './backtest-report.js';
import type { MergedSet } from './backtest-sets.js';
import { createTally, type TallyState } from './backtest-tally.js';
import type { FileRejection, RecordTotals } from './file-records.js';
import { createEvaluator, type EvaluatorState, type Label } from './score-evaluation.js';
import { createThreadedScorer, type ThreadedScorer } from './score-threads.js';

/**
 * Scores a history twice in one reading: with the set in force and with the drafts in it, each by the production engine on a
 * thread of its own, and tells what would change.
 */
export interface BacktestOptions {
  readonly inForce: readonly PatternSource[];
  readonly draft: MergedSet;
  /** Scores the drafts and what they replace without the other patterns, which would find the same on both sides. */
  readonly alone?: boolean;
  readonly calendar: CalendarData;
  readonly policy: WarningPolicy;
  readonly history: BacktestHistory;
  readonly labels: readonly Label[] | null;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: BacktestProgress) => void;
  readonly onRejected?: (rejection: FileRejection) => void;
  readonly checkpoints?: Checkpoints;
  /** Hits of the next records, of both sets. */
  readonly onHits?: (hits: BothSides<readonly Hit[]>) => void;
}

/** Transactions and reference records in order of time. */
export interface BacktestHistory {
  /** What `between` counts up to: bytes or records; 0 where it is not known. */
  readonly total: number;
  /** Changes when the history does. */
  readonly identity: string;
  /** Transactions before it only bring the engines' state on. */
  readonly scoreFromMs?: number;
  /** Pushes all of it; `between` is called between pushes with what is done. */
  feed(scorer: Pick<ThreadedScorer, 'begin' | 'push' | 'finish'>, between: (done: number) => Promise<void>): Promise<void>;
}

export interface BacktestProgress {
  readonly done: number;
  readonly total: number;
  readonly transactions: number;
  readonly hits: BothSides<number>;
}

/** Where a run that is interrupted leaves what it has. */
export interface Checkpoints {
  readonly found: BacktestCheckpoint | null;
  /** Asked after each slot: whether it is time for another one. */
  isDue(): boolean;
  save(checkpoint: BacktestCheckpoint): void;
  /** Waits until what was saved is on disk. */
  settled(): Promise<void>;
}

/** What the hits of the first `lines` lines came to. The engines' state is not in it: it is built anew from those lines. */
export interface BacktestCheckpoint {
  readonly identity: string;
  readonly lines: number;
  readonly tallies: BothSides<TallyState>;
  readonly changes: ChangesResult;
  readonly evaluators: BothSides<EvaluatorState> | null;
}

/** The signal aborted it. Saved checkpoints stay. */
export class BacktestStopped extends Error {
  readonly retriable = true;
  constructor() {
    super('the backtest was stopped before its end');
    this.name = 'BacktestStopped';
  }
}

/** Everything that a checkpoint depends on. */
export function identityOf({ inForce, draft, alone = false, policy, history, labels }: BacktestOptions): string {
  return JSON.stringify([setId(inForce), setId(draft.sources), alone, policy, history.identity, labels?.length ?? -1]);
}

export async function runBacktest(options: BacktestOptions): Promise<BacktestReport> {
  const { inForce, draft, alone = false, calendar, policy, history, labels, nowMs, signal, onProgress, checkpoints } = options;
  const found = checkpoints?.found;
  const identity = identityOf(options);
  const tallies = {
    inForce: createTally(policy, found?.tallies.inForce),
    draft: createTally(policy, found?.tallies.draft),
  };
  const changes = createChanges(found?.changes);
  const evaluators = labels && {
    inForce: createEvaluator(labels, found?.evaluators?.inForce),
    draft: createEvaluator(labels, found?.evaluators?.draft),
  };
  const days = createDayCounter();
  const { scoreFromMs = -Infinity } = history;
  let doneLines = found?.lines ?? 0;

  function snapshot(): BacktestCheckpoint {
    return {
      identity,
      lines: doneLines,
      tallies: both(tallies, (tally) => tally.save()),
      changes: changes.result(),
      evaluators: evaluators && both(evaluators, (evaluator) => evaluator.save()),
    };
  }

  const scorer = await createThreadedScorer({
    sets: alone ? [draft.alone.inForce, draft.alone.draft] : [inForce, draft.sources],
    calendar,
    partitions: 1,
    nowMs,
    warmLines: doneLines,
    scoreFromMs,
    onRejected: options.onRejected ?? (() => undefined),
    onTransaction: (view) => {
      if (view.timeMs < scoreFromMs) return;
      days.add(view.timeMs);
      evaluators?.inForce.addTransaction(view);
      evaluators?.draft.addTransaction(view);
    },
    onSlot: ({ hits: [before, after], lines }) => {
      // What was read before the checkpoint has no hits here.
      if (lines <= doneLines) return;
      tallies.inForce.add(before!);
      tallies.draft.add(after!);
      changes.add(before!, after!);
      evaluators?.inForce.addHits(before!);
      evaluators?.draft.addHits(after!);
      options.onHits?.({ inForce: before!, draft: after! });
      doneLines = lines;
      if (checkpoints?.isDue()) checkpoints.save(snapshot());
    },
  });
  try {
    await history.feed(scorer, async (done) => {
      if (signal.aborted) throw new BacktestStopped();
      const hits = both(tallies, (tally) => tally.hits);
      onProgress?.({ done, total: history.total, transactions: scorer.totals.scored, hits });
      await checkpoints?.settled();
    });
    const [stats] = await scorer.end();
    return reportOf({
      drafts: draft.drafts,
      alone,
      patternSets: { inForce: setId(inForce), draft: setId(draft.sources) },
      history: { ...countsOf(scorer.totals), transactions: days.total(), accounts: stats!.subjects },
      transactionsByDay: days.counts,
      tallies,
      changes: changes.result(),
      evaluation: evaluators && both(evaluators, (evaluator) => evaluator.result()),
    });
  } catch (error) {
    if (error instanceof BacktestStopped) checkpoints?.save(snapshot());
    throw error;
  } finally {
    await scorer.close();
    await checkpoints?.settled();
  }
}

function countsOf({ references, rejected }: RecordTotals) {
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  return { references: sum(references), rejected: sum(rejected) };
}

/** Transactions by day. Most are of the same day as the one before. */
function createDayCounter(): { add(timeMs: number): void; total(): number; readonly counts: ReadonlyMap<number, number> } {
  const counts = new Map<number, number>();
  let day = 0;
  let startMs = Infinity;
  return {
    counts,
    total: () => [...counts.values()].reduce((a, b) => a + b, 0),
    add(timeMs) {
      if (timeMs < startMs || timeMs >= startMs + dayMs) {
        day = dayNumber(timeMs);
        startMs = startOfDayMs(day);
      }
      counts.set(day, (counts.get(day) ?? 0) + 1);
    },
  };
}
