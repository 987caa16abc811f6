import { formatShanghai } from '../domain/bank-day.js';
import type { FileRejection, RecordTotals } from '../pipeline/file-records.js';
import type { Evaluation, Evaluator } from '../pipeline/score-evaluation.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { describeEvaluation } from './evaluation-tables.js';
import { table } from './table.js';

/** What `huqi score` found, for scripts and for people. */
export interface ScoreSummary {
  readonly files: readonly string[];
  readonly patternSet: string;
  readonly transactions: {
    readonly lines: number;
    readonly scored: number;
    readonly withoutEffect: number;
    readonly duplicates: number;
    readonly rejected: number;
    /** Later than the clock of this machine. */
    readonly inFuture: number;
  };
  readonly references: Readonly<Record<string, number>>;
  readonly rejected: Readonly<Record<string, number>>;
  readonly period: { readonly from: string; readonly to: string } | null;
  readonly accounts: number;
  readonly hits: {
    readonly total: number;
    readonly byPattern: Readonly<Record<string, number>>;
    readonly bySeverity: Readonly<Record<string, number>>;
  };
  readonly labels?: Evaluation;
  /** The only part that differs from run to run. */
  readonly performance: {
    readonly seconds: number;
    readonly transactionsPerSecond: number;
    readonly threads: number;
    readonly engineBytes: number;
  };
}

export interface ScoreFacts {
  readonly files: readonly string[];
  readonly set: PatternSet;
  readonly totals: RecordTotals;
  readonly counts: {
    readonly total: number;
    readonly byPattern: ReadonlyMap<string, number>;
    readonly bySeverity: ReadonlyMap<string, number>;
  };
  readonly evaluator: Evaluator | undefined;
  readonly seconds: number;
  readonly threads: number;
  readonly subjects: number;
  readonly engineBytes: number;
}

export function summarise(facts: ScoreFacts): ScoreSummary {
  const { files, set, totals, counts, evaluator, seconds, threads, subjects, engineBytes } = facts;
  const { lines, scored, withoutEffect, duplicates, inFuture } = totals;
  const rejected = Object.values(totals.rejected).reduce((a, b) => a + b, 0);
  return {
    files,
    patternSet: set.id,
    transactions: { lines, scored, withoutEffect, duplicates, rejected, inFuture },
    references: sortedRecord(Object.entries(totals.references)),
    rejected: sortedRecord(Object.entries(totals.rejected)),
    period: scored === 0 ? null : { from: formatShanghai(totals.earliestMs), to: formatShanghai(totals.latestMs) },
    accounts: subjects,
    hits: { total: counts.total, byPattern: sortedRecord(counts.byPattern), bySeverity: sortedRecord(counts.bySeverity) },
    ...(evaluator ? { labels: evaluator.result() } : {}),
    performance: { seconds, transactionsPerSecond: Math.round(scored / Math.max(seconds, 0.001)), threads, engineBytes },
  };
}

function sortedRecord(entries: Iterable<readonly [string, number]>): Record<string, number> {
  return Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const count = (value: number): string => value.toLocaleString('en');

export function describeSummary(summary: ScoreSummary, rejections: readonly FileRejection[]): string {
  const { transactions, hits, performance, labels } = summary;
  const lines = [
    `${count(transactions.scored)} transactions scored in ${performance.seconds.toFixed(1)} s (${count(performance.transactionsPerSecond)} a second), ${count(summary.accounts)} accounts`,
    summary.period ? `from ${summary.period.from} to ${summary.period.to}` : 'nothing to score',
    ...describeRecords(summary, rejections),
    '',
    `${count(hits.total)} hits`,
  ];
  if (labels) lines.push(...describeEvaluation(labels, hits.byPattern));
  else
    lines.push(
      table(
        ['pattern', 'hits'],
        Object.entries(hits.byPattern).map(([pattern, n]) => [pattern, count(n)]),
      ),
    );
  return `${lines.join('\n')}\n`;
}

function describeRecords(summary: ScoreSummary, rejections: readonly FileRejection[]): string[] {
  const { transactions, references } = summary;
  const lines: string[] = [];
  const referenceCounts = Object.entries(references).map(([type, n]) => `${type} ${count(n)}`);
  if (referenceCounts.length > 0) lines.push(`reference records: ${referenceCounts.join(', ')}`);
  if (transactions.inFuture > 0)
    lines.push(
      `warning: ${count(transactions.inFuture)} transactions are later than this machine's clock; check the clock and the records' times`,
    );
  if (transactions.duplicates > 0) lines.push(`${count(transactions.duplicates)} resent records counted once`);
  if (transactions.withoutEffect > 0)
    lines.push(`${count(transactions.withoutEffect)} failed or reversed transactions without effect`);
  if (transactions.rejected > 0) {
    const reasons = Object.entries(summary.rejected).map(([reason, n]) => `${reason} ${count(n)}`);
    lines.push(`${count(transactions.rejected)} refused: ${reasons.join(', ')}`);
    for (const { file, line, field, message } of rejections)
      lines.push(`  ${file}:${line} ${field ? `${field}: ` : ''}${message}`);
    if (transactions.rejected > rejections.length) lines.push('  … all of them with --rejected FILE');
  }
  return lines;
}
