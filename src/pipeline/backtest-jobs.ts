import { formatShanghai } from '../domain/bank-day.js';
import { createCalendar, type CalendarData } from '../domain/calendar.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Warehouse } from '../ports/warehouse.js';
import { compilePatternSet, type PatternSource } from '../scoring/pattern-set.js';
import type { PatternProblem } from '../scoring/pattern.js';
import { BacktestStopped, runBacktest, type BacktestProgress } from './backtest.js';
import type { BacktestReport } from './backtest-report.js';
import { withDrafts } from './backtest-sets.js';
import type { Label } from './score-evaluation.js';
import { endOfTimeMs, openWarehouseHistory } from './warehouse-history.js';

/** Backtests of a running platform over its own warehouse: one at a time, the latest few are kept until the process ends. */
export interface BacktestJobs {
  start(request: BacktestRequest): Promise<StartOutcome>;
  get(id: string): BacktestJob | null;
  /** The report as one HTML file; null while there is none. */
  html(id: string): Promise<string | null>;
  /** False where it is not running. */
  cancel(id: string): boolean;
  /** Stops the one that runs and waits for its threads. */
  close(): Promise<void>;
}

export interface BacktestRequest {
  /** Pattern files. */
  readonly files: readonly PatternSource[];
  /** First day, and the day after the last, in Asia/Shanghai. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly labels: readonly Label[] | undefined;
  /** See `BacktestOptions`. */
  readonly alone: boolean;
}

export type StartOutcome =
  | { readonly kind: 'started' | 'busy'; readonly id: string }
  | { readonly kind: 'broken'; readonly errors: readonly { readonly pointer: string; readonly detail: string }[] };

export interface BacktestJob {
  readonly id: string;
  readonly status: 'running' | 'done' | 'failed' | 'cancelled';
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly progress: BacktestProgress;
  /** Why it failed. */
  readonly message?: string;
  readonly report?: BacktestReport;
}

export interface BacktestJobsOptions {
  readonly warehouse: Warehouse;
  readonly inForce: () => Promise<readonly PatternSource[]>;
  readonly calendar: CalendarData;
  readonly policy: WarningPolicy;
  readonly clock: { now(): number };
  readonly newId: () => string;
}

const keptMax = 8;

export function createBacktestJobs(options: BacktestJobsOptions): BacktestJobs {
  const { warehouse, calendar, policy, clock, newId } = options;
  const jobs = new Map<string, BacktestJob>();
  let running: { readonly id: string; readonly abort: AbortController; done: Promise<void> } | null = null;

  function change(id: string, changes: Partial<BacktestJob>): void {
    const job = jobs.get(id);
    if (job) jobs.set(id, { ...job, ...changes });
  }

  async function work(
    id: string,
    request: BacktestRequest,
    inForce: readonly PatternSource[],
    abort: AbortSignal,
  ): Promise<void> {
    try {
      const draft = withDrafts(inForce, request.files);
      if (draft.kind === 'broken') throw new Error('the drafts were good a moment ago');
      const { from, to, labels = null, alone } = request;
      const history = await openWarehouseHistory(warehouse, {
        fromMs: from === undefined ? 0 : startOf(from),
        toMs: to === undefined ? endOfTimeMs : startOf(to),
      });
      const report = await runBacktest({
        inForce,
        draft,
        alone,
        calendar,
        policy,
        history,
        labels,
        nowMs: clock.now(),
        signal: abort,
        onProgress: (progress) => change(id, { progress }),
      });
      change(id, { status: 'done', report, endedAt: formatShanghai(clock.now()) });
    } catch (error) {
      const endedAt = formatShanghai(clock.now());
      if (error instanceof BacktestStopped) change(id, { status: 'cancelled', endedAt });
      else change(id, { status: 'failed', message: error instanceof Error ? error.message : String(error), endedAt });
    } finally {
      running = null;
    }
  }

  return {
    async start(request) {
      if (running) return { kind: 'busy', id: running.id };
      const id = newId();
      const abort = new AbortController();
      // Taken before anything is awaited: of two that come at once, one is told that the other runs.
      const mine = { id, abort, done: Promise.resolve() };
      running = mine;
      try {
        const inForce = await options.inForce();
        const problems = problemsOf(inForce, request.files, calendar);
        if (problems.length > 0) {
          running = null;
          return {
            kind: 'broken',
            errors: problems.map(({ file, line, column, path, message }) => ({
              pointer: `${file}:${line}:${column}${path ? ` ${path}` : ''}`,
              detail: message,
            })),
          };
        }
        const progress = { done: 0, total: 0, transactions: 0, hits: { inForce: 0, draft: 0 } };
        jobs.set(id, { id, status: 'running', startedAt: formatShanghai(clock.now()), progress });
        for (const old of jobs.keys()) if (jobs.size > keptMax) jobs.delete(old);
        mine.done = work(id, request, inForce, abort.signal);
        return { kind: 'started', id };
      } catch (error) {
        running = null;
        throw error;
      }
    },
    get: (id) => jobs.get(id) ?? null,
    async html(id) {
      const report = jobs.get(id)?.report;
      if (!report) return null;
      const { backtestHtml } = await import('./backtest-html.js');
      return backtestHtml(report);
    },
    cancel(id) {
      if (running?.id !== id) return false;
      running.abort.abort();
      return true;
    },
    async close() {
      running?.abort.abort();
      await running?.done;
    },
  };
}

function problemsOf(
  inForce: readonly PatternSource[],
  drafts: readonly PatternSource[],
  calendar: CalendarData,
): readonly PatternProblem[] {
  const merged = withDrafts(inForce, drafts);
  if (merged.kind === 'broken') return merged.problems;
  const compiled = compilePatternSet(merged.sources, createCalendar(calendar, { unknownYears: 'weekends' }));
  return compiled.kind === 'broken' ? compiled.problems : [];
}

function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00+08:00`);
}
