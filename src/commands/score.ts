import { createReadStream, type WriteStream, createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Command } from 'commander';
import { loadCatalogue } from '../catalogue.js';
import { formatShanghai } from '../domain/bank-day.js';
import { createCalendar } from '../domain/calendar.js';
import { describeProblem, readPatternFiles } from '../pipeline/pattern-store.js';
import { createEvaluator, labelSchema, type Evaluation, type Evaluator, type Label } from '../pipeline/score-evaluation.js';
import { createFileScorer, type FileRejection, type ScoreFileTotals } from '../pipeline/score-file.js';
import { compilePatternSet, type PatternSet } from '../scoring/pattern-set.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { createProgress } from './progress.js';
import { table } from './table.js';

interface Flags {
  readonly patterns?: string;
  readonly hits?: string;
  readonly summary?: string;
  readonly labels?: string;
  readonly rejected?: string;
  readonly partitions: string;
  readonly batchBytes: string;
  readonly json?: boolean;
}

const help = `
Hits are written in the order of their transactions, one JSON object a line; the same files and patterns give the same
bytes, whatever --partitions and --batch-bytes say. Files that end in .gz are unpacked. Broken records are refused one by
one, with their line and reason, and the rest goes on.

Examples:
  $ huqi score day.ndjson --hits hits.ndjson --summary summary.json
  $ huqi score january.ndjson.gz february.ndjson.gz --patterns my-patterns/
  $ huqi score day.ndjson --labels labels.ndjson        precision and recall by pattern and typology
  $ huqi score day.ndjson --json | jq .hits.byPattern

Exit codes: 0 scored (records may have been refused, see the summary), 1 a file or pattern could not be read or written,
2 wrong arguments.`;

/** `huqi score`: scores files of transactions with the production engine. */
export function registerScore(program: Command, context: CommandContext): void {
  program
    .command('score')
    .summary('score files of transactions')
    .description('Scores files of transactions (NDJSON) with the production engine, as fast as it can.')
    .argument('<files...>', 'NDJSON files of transactions, in order of time')
    .option('--patterns <path>', 'directory of pattern files, or one file; the patterns that ship otherwise')
    .option('--hits <file>', 'write the hits there (NDJSON)')
    .option('--summary <file>', 'write the summary there (JSON)')
    .option('--labels <file>', 'labels to measure precision and recall by (NDJSON)')
    .option('--rejected <file>', 'write the refused records with their reasons there (NDJSON)')
    .option('--partitions <number>', 'partitions of the engine', '1')
    .option('--batch-bytes <number>', 'bytes read at once', '1048576')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', help)
    .action((files: string[], flags: Flags) => runScore(files, flags, context));
}

export interface ScoreSummary {
  readonly files: readonly string[];
  readonly patternSet: string;
  readonly transactions: {
    readonly lines: number;
    readonly scored: number;
    readonly withoutEffect: number;
    readonly duplicates: number;
    readonly rejected: number;
  };
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
  readonly performance: { readonly seconds: number; readonly transactionsPerSecond: number; readonly engineBytes: number };
}

async function runScore(files: readonly string[], flags: Flags, context: CommandContext): Promise<void> {
  const partitions = wholeNumber('--partitions', flags.partitions, 1, 256);
  const batchBytes = wholeNumber('--batch-bytes', flags.batchBytes, 1, 67_108_864);
  const set = await loadPatterns(flags.patterns ?? join(context.paths.config, 'patterns'), context);
  const evaluator = flags.labels === undefined ? undefined : createEvaluator(await readLabels(flags.labels));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const hitsOut = flags.hits === undefined ? undefined : openOutput(flags.hits);
  const rejectedOut = flags.rejected === undefined ? undefined : openOutput(flags.rejected);
  const counts = { byPattern: new Map<string, number>(), bySeverity: new Map<string, number>() };
  const shown: FileRejection[] = [];
  const scorer = createFileScorer({
    set,
    partitions,
    onHits: (hits) => {
      for (const { pattern, severity } of hits) {
        counts.byPattern.set(pattern, (counts.byPattern.get(pattern) ?? 0) + 1);
        counts.bySeverity.set(severity, (counts.bySeverity.get(severity) ?? 0) + 1);
      }
      evaluator?.addHits(hits);
      hitsOut?.write(hits);
    },
    onRejected: (rejection) => {
      if (shown.length < shownRejectionsMax) shown.push(rejection);
      rejectedOut?.write([rejection]);
    },
  });

  const startedMs = context.clock.now();
  const progress = createProgress(
    context,
    sizes.reduce((a, b) => a + b, 0),
  );
  let doneBytes = 0;
  for (const file of files) {
    scorer.begin(file);
    const source = createReadStream(file, { highWaterMark: batchBytes });
    const stream = file.endsWith('.gz') ? source.pipe(createGunzip({ chunkSize: Math.max(batchBytes, 64) })) : source;
    source.on('error', (error) => stream.destroy(error));
    for await (const chunk of named(file, stream)) {
      scorer.push(chunk as Buffer);
      if (hitsOut?.isFull()) await hitsOut.drained();
      if (rejectedOut?.isFull()) await rejectedOut.drained();
      progress.show(
        doneBytes + source.bytesRead,
        `${scorer.totals().scored.toLocaleString('en')} transactions  ${scorer.totals().hits.toLocaleString('en')} hits`,
      );
      if (context.stop.aborted) throw new CommandFailure('stopped before the end; the outputs are incomplete');
    }
    scorer.finish();
    doneBytes += source.bytesRead;
  }
  await Promise.all([hitsOut?.close(), rejectedOut?.close()]);
  progress.clear();

  const seconds = (context.clock.now() - startedMs) / 1000;
  const summary = summarise({ files, set, totals: scorer.totals(), counts, evaluator, seconds, engineBytes: scorer.bytesUsed() });
  if (flags.summary !== undefined) {
    const out = openOutput(flags.summary);
    out.writeText(`${JSON.stringify(summary, null, 2)}\n`);
    await out.close();
  }
  context.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : describe(summary, shown));
}

/** The system's errors while reading name no file. */
async function* named(file: string, chunks: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* chunks;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EISDIR') throw new CommandFailure(`${file} is a directory; a file is needed`);
    if (code === 'Z_BUF_ERROR' || code === 'Z_DATA_ERROR') throw new CommandFailure(`${file} is cut off or no gzip file`);
    throw error;
  }
}

const shownRejectionsMax = 5;

/** Throws `CommandFailure` with every problem of the files. */
export async function loadPatterns(path: string, { paths }: Pick<CommandContext, 'paths'>): Promise<PatternSet> {
  const { calendar } = await loadCatalogue(paths.config);
  const sources = await readPatternFiles(path);
  if (sources.length === 0) throw new CommandFailure(`${path} holds no pattern files (*.yaml)`);
  const result = compilePatternSet(sources, createCalendar(calendar, { unknownYears: 'weekends' }));
  if (result.kind === 'compiled') return result.set;
  throw new CommandFailure(
    `the patterns do not load:\n${result.problems.map((problem) => `  ${describeProblem(problem)}`).join('\n')}`,
  );
}

async function readLabels(file: string): Promise<Label[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      return [labelSchema.parse(JSON.parse(line))];
    } catch {
      throw new CommandFailure(`${file}:${i + 1}: expected a label such as {"transaction":"…","label":1,"typology":"fan_in"}`);
    }
  });
}

interface Output {
  write(values: readonly unknown[]): void;
  writeText(text: string): void;
  isFull(): boolean;
  drained(): Promise<void>;
  close(): Promise<void>;
}

function openOutput(file: string): Output {
  const stream: WriteStream = createWriteStream(file);
  let failure: Error | undefined;
  stream.on('error', (error) => (failure = error));
  const check = (): void => {
    if (failure) throw failure;
  };
  return {
    write(values) {
      check();
      stream.write(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    },
    writeText(text) {
      stream.write(text);
    },
    isFull: () => stream.writableNeedDrain,
    async drained() {
      check();
      if (stream.writableNeedDrain) await once(stream, 'drain');
    },
    async close() {
      check();
      stream.end();
      await finished(stream);
    },
  };
}

interface Facts {
  readonly files: readonly string[];
  readonly set: PatternSet;
  readonly totals: ScoreFileTotals;
  readonly counts: { readonly byPattern: ReadonlyMap<string, number>; readonly bySeverity: ReadonlyMap<string, number> };
  readonly evaluator: Evaluator | undefined;
  readonly seconds: number;
  readonly engineBytes: number;
}

function summarise({ files, set, totals, counts, evaluator, seconds, engineBytes }: Facts): ScoreSummary {
  const rejected = Object.values(totals.rejected).reduce((a, b) => a + b, 0);
  return {
    files,
    patternSet: set.id,
    transactions: {
      lines: totals.lines,
      scored: totals.scored,
      withoutEffect: totals.withoutEffect,
      duplicates: totals.duplicates,
      rejected,
    },
    rejected: sortedRecord(Object.entries(totals.rejected)),
    period: totals.scored === 0 ? null : { from: formatShanghai(totals.earliestMs), to: formatShanghai(totals.latestMs) },
    accounts: totals.subjects,
    hits: { total: totals.hits, byPattern: sortedRecord(counts.byPattern), bySeverity: sortedRecord(counts.bySeverity) },
    ...(evaluator ? { labels: evaluator.result() } : {}),
    performance: { seconds, transactionsPerSecond: Math.round(totals.scored / Math.max(seconds, 0.001)), engineBytes },
  };
}

function sortedRecord(entries: Iterable<readonly [string, number]>): Record<string, number> {
  return Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function describe(summary: ScoreSummary, rejections: readonly FileRejection[]): string {
  const { transactions, hits, performance, labels } = summary;
  const count = (value: number): string => value.toLocaleString('en');
  const lines = [
    `${count(transactions.scored)} transactions scored in ${performance.seconds.toFixed(1)} s (${count(performance.transactionsPerSecond)} a second), ${count(summary.accounts)} accounts`,
    summary.period ? `from ${summary.period.from} to ${summary.period.to}` : 'nothing to score',
  ];
  if (transactions.duplicates > 0) lines.push(`${count(transactions.duplicates)} resent transactions counted once`);
  if (transactions.withoutEffect > 0)
    lines.push(`${count(transactions.withoutEffect)} failed or reversed transactions without effect`);
  if (transactions.rejected > 0) {
    lines.push(
      `${count(transactions.rejected)} refused: ${Object.entries(summary.rejected)
        .map(([reason, n]) => `${reason} ${count(n)}`)
        .join(', ')}`,
    );
    for (const { file, line, field, message } of rejections)
      lines.push(`  ${file}:${line} ${field ? `${field}: ` : ''}${message}`);
    if (transactions.rejected > rejections.length) lines.push('  … all of them with --rejected FILE');
  }
  lines.push('', `${count(hits.total)} hits`);
  const scores = labels?.byPattern;
  lines.push(
    table(
      scores ? ['pattern', 'hits', 'transactions', 'precision'] : ['pattern', 'hits'],
      Object.entries(hits.byPattern).map(([pattern, n]) =>
        scores
          ? [pattern, count(n), count(scores[pattern]?.hitTransactions ?? 0), percent(scores[pattern]?.precision)]
          : [pattern, count(n)],
      ),
    ),
  );
  if (labels) {
    lines.push(
      '',
      `precision ${percent(labels.overall.precision)}, recall ${percent(labels.overall.recall)} over ${count(labels.labelled)} labelled transactions`,
    );
    lines.push(
      table(
        ['typology', 'labelled', 'found', 'recall', 'found by'],
        Object.entries(labels.byTypology).map(([typology, row]) => [
          typology,
          count(row.labelled),
          count(row.found),
          percent(row.recall),
          Object.entries(row.foundBy)
            .map(([pattern, n]) => `${pattern} ${n}`)
            .join(' '),
        ]),
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(1)} %`;
}
