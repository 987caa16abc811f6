import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { processorsHere } from '../pipeline/processors.js';
import { createEvaluator } from '../pipeline/score-evaluation.js';
import type { FileRejection } from '../pipeline/file-records.js';
import { createFileScorer, type FileScorer, type FileScorerOptions } from '../pipeline/score-file.js';
import { createTwoThreadScorer } from '../pipeline/score-threads.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { openOutput, pushFiles, readLabels, readPatterns, type LoadedPatterns } from './files.js';
import { createProgress } from './progress.js';
import { describeSummary, summarise } from './score-summary.js';

interface Flags {
  readonly patterns?: string;
  readonly hits?: string;
  readonly summary?: string;
  readonly labels?: string;
  readonly rejected?: string;
  readonly threads?: string;
  readonly partitions: string;
  readonly batchBytes: string;
  readonly json?: boolean;
}

const help = `
Hits are written in the order of their transactions, one JSON object a line; the same files and patterns give the same
bytes, whatever --threads, --partitions and --batch-bytes say. Files that end in .gz are unpacked. Broken records are refused one by
one, with their line and reason, and the rest goes on.

Examples:
  $ huqi score day.ndjson --hits hits.ndjson --summary summary.json
  $ huqi score january.ndjson.gz february.ndjson.gz --patterns my-patterns/
  $ huqi score day.ndjson --labels labels.ndjson        precision, recall and delay, see docs/evaluation.md
  $ huqi score day.ndjson --json | jq .hits.byPattern

Exit codes: 0 scored (records may have been refused, see the summary), 1 a file or pattern could not be read or written,
2 wrong arguments.`;

/** `huqi score`: scores files of transactions with the production engine. */
export function registerScore(program: Command, context: CommandContext): void {
  program
    .command('score')
    .summary('score files of transactions')
    .description('Scores files of transactions (NDJSON) with the production engine, as fast as it can.')
    .argument('<files...>', 'NDJSON files of transactions and reference records, in order of time')
    .option('--patterns <path>', 'directory of pattern files, or one file; the patterns that ship otherwise')
    .option('--hits <file>', 'write the hits there (NDJSON)')
    .option('--summary <file>', 'write the summary there (JSON)')
    .option('--labels <file>', 'labels to measure precision, recall and delay by (NDJSON)')
    .option('--rejected <file>', 'write the refused records with their reasons there (NDJSON)')
    .option('--threads <number>', '1, or 2: one thread reads and one scores; 2 for large files otherwise')
    .option('--partitions <number>', 'partitions of the engine', '1')
    .option('--batch-bytes <number>', 'bytes read at once', '1048576')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', help)
    .action((files: string[], flags: Flags) => runScore(files, flags, context));
}

async function runScore(files: readonly string[], flags: Flags, context: CommandContext): Promise<void> {
  const partitions = wholeNumber('--partitions', flags.partitions, 1, 256);
  const batchBytes = wholeNumber('--batch-bytes', flags.batchBytes, 1, 67_108_864);
  if (flags.threads !== undefined) wholeNumber('--threads', flags.threads, 1, 2);
  const patterns = await readPatterns(flags.patterns ?? join(context.paths.config, 'patterns'), context);
  const evaluator = flags.labels === undefined ? undefined : createEvaluator(await readLabels(flags.labels));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const totalBytes = sizes.reduce((a, b) => a + b, 0);
  const threads = flags.threads === undefined ? threadsFor(files, totalBytes) : Number(flags.threads);
  const hitsOut = flags.hits === undefined ? undefined : openOutput(flags.hits);
  const rejectedOut = flags.rejected === undefined ? undefined : openOutput(flags.rejected);
  const counts = { total: 0, byPattern: new Map<string, number>(), bySeverity: new Map<string, number>() };
  const shown: FileRejection[] = [];
  const startedMs = context.clock.now();
  const scorer = await openScorer(threads, patterns, {
    partitions,
    nowMs: startedMs,
    onTransaction: evaluator && ((view) => evaluator.addTransaction(view)),
    onHits: (hits) => {
      counts.total += hits.length;
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

  try {
    const progress = createProgress(context, totalBytes);
    await pushFiles(files, batchBytes, scorer, async (doneBytes) => {
      if (hitsOut?.isFull()) await hitsOut.drained();
      if (rejectedOut?.isFull()) await rejectedOut.drained();
      const figure = (value: number): string => value.toLocaleString('en');
      progress.show(doneBytes, `${figure(scorer.totals.scored)} transactions  ${figure(counts.total)} hits`);
      if (context.stop.aborted) throw new CommandFailure('stopped before the end; the outputs are incomplete');
    });
    const stats = await scorer.end();
    await Promise.all([hitsOut?.close(), rejectedOut?.close()]);
    progress.clear();
    const seconds = (context.clock.now() - startedMs) / 1000;
    const engineBytes = stats.bytes + scorer.bytesUsed();
    const { subjects } = stats;
    const { totals } = scorer;
    const { set } = patterns;
    const summary = summarise({ files, set, totals, counts, evaluator, seconds, threads, subjects, engineBytes });
    if (flags.summary !== undefined) {
      const out = openOutput(flags.summary);
      out.writeText(`${JSON.stringify(summary, null, 2)}\n`);
      await out.close();
    }
    context.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : describeSummary(summary, shown));
  } finally {
    await scorer.close();
  }
}

const shownRejectionsMax = 5;
/** Below it a second thread costs more time than it saves. */
const twoThreadsFromBytes = 16 * 2 ** 20;
const gzipRatio = 8;

function threadsFor(files: readonly string[], totalBytes: number): number {
  const bytes = files.some((file) => file.endsWith('.gz')) ? totalBytes * gzipRatio : totalBytes;
  return bytes >= twoThreadsFromBytes && processorsHere() > 1 ? 2 : 1;
}

async function openScorer(threads: number, patterns: LoadedPatterns, options: FileScorerOptions): Promise<FileScorer> {
  return threads === 1
    ? createFileScorer(patterns.set, options)
    : createTwoThreadScorer(patterns.sources, patterns.calendar, options);
}
