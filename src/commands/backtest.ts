import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { openWarehouse, openPatternStore } from '../app.js';
import { loadCatalogue } from '../catalogue.js';
import type { CalendarData } from '../domain/calendar.js';
import { identityOf, runBacktest, BacktestStopped, type BacktestHistory, type BacktestOptions } from '../pipeline/backtest.js';
import { openCheckpointFile } from '../pipeline/backtest-checkpoint.js';
import type { BacktestReport } from '../pipeline/backtest-report.js';
import { count, scopeOf, totalRows } from '../pipeline/backtest-rows.js';
import { withDrafts } from '../pipeline/backtest-sets.js';
import type { Change } from '../pipeline/backtest-changes.js';
import { readPatternFiles } from '../pipeline/pattern-files.js';
import { describeProblem } from '../pipeline/pattern-store.js';
import { endOfTimeMs, openWarehouseHistory } from '../pipeline/warehouse-history.js';
import { parseWarningPolicy } from '../pipeline/warning-policy-file.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import { loadSettings, type Settings } from '../settings.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { compileOrFail, openOutput, pushFiles, readLabels } from './files.js';
import { createProgress } from './progress.js';
import { table } from './table.js';

interface Flags {
  readonly against?: string[];
  readonly data?: string;
  readonly clickhouse?: string;
  readonly from?: string;
  readonly to?: string;
  readonly patterns?: string;
  readonly alone?: boolean;
  readonly labels?: string;
  readonly config?: string;
  readonly html?: string;
  readonly hits?: string;
  readonly json?: boolean;
  readonly resume?: string;
  readonly checkpointSeconds: string;
}

const help = `
The history is read once and scored twice, by the engine of the live platform: with the set in force, and with the drafts in
place of the patterns of the same id. Shown are hits and warnings a day, how many warnings an enterprise would get in a
month, what is new and what is gone, and precision and recall where there are labels.

With --alone the drafts and what they replace are scored without the other patterns, which would find the same on both sides:
many times faster. Warnings and levels are then those of these patterns by themselves.

With --resume a run that was stopped or killed goes on: it reads what it had scored again to bring the engines to where they
were, without asking the patterns, and ends with the same report as a run that was never stopped.

Examples:
  $ huqi patterns backtest my/V01.yaml --against june.ndjson.gz july.ndjson.gz --html report.html
  $ huqi patterns backtest my/V01.yaml --alone --against year.ndjson.gz
  $ huqi patterns backtest my/ --data /var/lib/huqi --from 2026-06-01 --to 2026-07-01
  $ huqi patterns backtest V01.yaml --clickhouse http://clickhouse:8123 --from 2026-01-01 --resume v01.checkpoint
  $ huqi patterns backtest V01.yaml --against day.ndjson --labels labels.ndjson --json | jq .wouldFire

Exit codes: 0 done, 1 something could not be read or was stopped before its end, 2 wrong arguments.`;

/** `huqi patterns backtest`: what drafts would do, beside what is in force. */
export function registerBacktest(patterns: Command, context: CommandContext): void {
  patterns
    .command('backtest')
    .summary('try drafts on history')
    .description('Scores a history with the set in force and with drafts in it, and says what would change.')
    .argument('<drafts...>', 'pattern files or directories')
    .option('--against <files...>', 'files of transactions (NDJSON), in order of time')
    .option('--data <directory>', 'the warehouse and the patterns in force of this data directory (no platform may run on it)')
    .option('--clickhouse <url>', 'the warehouse of a ClickHouse server')
    .option('--from <day>', 'first day, such as 2026-06-01; the oldest otherwise')
    .option('--to <day>', 'the day after the last; up to the newest otherwise')
    .option('--patterns <path>', 'the set in force, as files; that of --data, else the patterns that ship')
    .option('--alone', 'the drafts and what they replace, without the other patterns: many times faster')
    .option('--labels <file>', 'labels to measure precision and recall by (NDJSON)')
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--html <file>', 'write the report there, with plots')
    .option('--hits <file>', 'write the hits with the drafts there (NDJSON)')
    .option('--json', 'print the report as JSON')
    .option('--resume <file>', 'keep checkpoints there, and go on from the one that is there')
    .option('--checkpoint-seconds <number>', 'between two checkpoints', '15')
    .addHelpText('after', help)
    .action((drafts: string[], flags: Flags) => backtest(drafts, flags, context));
}

async function backtest(draftPaths: readonly string[], flags: Flags, context: CommandContext): Promise<void> {
  const everyMs = wholeNumber('--checkpoint-seconds', flags.checkpointSeconds, 0, 86_400) * 1_000;
  const sources = [flags.against, flags.data, flags.clickhouse].filter((source) => source !== undefined);
  if (sources.length !== 1)
    throw new CommandFailure('say which history to score, by one of --against FILES, --data DIR and --clickhouse URL', 2);
  if (flags.hits !== undefined && flags.resume !== undefined)
    throw new CommandFailure('--hits needs the whole run; leave out --resume', 2);
  const settings = loadSettings({
    file: flags.config,
    env: context.env,
    overrides: {
      ...(flags.data === undefined ? {} : { dataDir: flags.data }),
      ...(flags.clickhouse === undefined ? {} : { cluster: { clickhouseUrl: flags.clickhouse } }),
    },
  });
  const { calendar } = await loadCatalogue(context.paths.config);
  const inForce = await inForceSources(flags, settings, calendar, context);
  const drafts = (await Promise.all(draftPaths.map(readPatternFiles))).flat();
  if (drafts.length === 0) throw new CommandFailure(`${draftPaths.join(', ')}: no pattern files (*.yaml) there`);
  const draft = withDrafts(inForce, drafts);
  if (draft.kind === 'broken')
    throw new CommandFailure(
      `the drafts do not load:\n${draft.problems.map((problem) => `  ${describeProblem(problem)}`).join('\n')}`,
    );
  compileOrFail(draft.sources, calendar);
  const policy = parseWarningPolicy(await readFile(settings.warn.policyFile, 'utf8'), settings.warn.policyFile);
  const labels = flags.labels === undefined ? null : await readLabels(flags.labels);
  const opened = await openHistory(flags, settings);
  try {
    const startedMs = context.clock.now();
    const progress = createProgress(context, opened.history.total);
    const hitsOut = flags.hits === undefined ? undefined : openOutput(flags.hits);
    const options: BacktestOptions = {
      ...(hitsOut ? { onHits: ({ draft: hits }) => hitsOut.write(hits) } : {}),
      inForce,
      draft,
      alone: flags.alone ?? false,
      calendar,
      policy,
      history: opened.history,
      labels,
      nowMs: startedMs,
      signal: context.stop,
      onProgress: ({ done, transactions, hits }) =>
        progress.show(done, `${count(transactions)} transactions  hits ${count(hits.inForce)} → ${count(hits.draft)}`),
    };
    const checkpoints =
      flags.resume === undefined
        ? undefined
        : await openCheckpointFile(flags.resume, identityOf(options), { everyMs, now: () => context.clock.now() });
    if (checkpoints?.found)
      context.stderr.write(`going on after ${count(checkpoints.found.lines)} records that were scored before\n`);
    const report = await runBacktest({ ...options, ...(checkpoints ? { checkpoints } : {}) }).catch((error: unknown) => {
      throw error instanceof BacktestStopped ? stopped(flags.resume) : error;
    });
    progress.clear();
    await hitsOut?.close();
    if (flags.html !== undefined) await writeHtml(flags.html, report);
    await checkpoints?.remove();
    const seconds = (context.clock.now() - startedMs) / 1000;
    const performance = { seconds, transactionsPerSecond: Math.round(report.history.transactions / Math.max(seconds, 0.001)) };
    context.stdout.write(flags.json ? `${JSON.stringify({ ...report, performance })}\n` : describe(report, performance));
  } finally {
    await opened.close();
  }
}

/** The library that draws is large: only who wants plots waits for it. */
async function writeHtml(file: string, report: BacktestReport): Promise<void> {
  const { backtestHtml } = await import('../pipeline/backtest-html.js');
  await writeFile(file, backtestHtml(report));
}

function stopped(resume: string | undefined): CommandFailure {
  return new CommandFailure(
    resume === undefined
      ? 'stopped before the end; with --resume FILE a stopped run can go on'
      : `stopped before the end; the same command with --resume ${resume} goes on`,
  );
}

async function inForceSources(
  flags: Flags,
  settings: Settings,
  calendar: CalendarData,
  context: CommandContext,
): Promise<readonly PatternSource[]> {
  if (flags.patterns === undefined && flags.data !== undefined) {
    const opened = await openPatternStore(settings, context.paths.config, context.clock);
    try {
      const id = await opened.store.currentId();
      const set = await opened.store.set(id);
      if (!set) throw new CommandFailure(`the set in force ${id} is not in ${flags.data}`);
      return set.sources;
    } finally {
      await opened.close();
    }
  }
  const path = flags.patterns ?? join(context.paths.config, 'patterns');
  const sources = await readPatternFiles(path);
  if (sources.length === 0) throw new CommandFailure(`${path} holds no pattern files (*.yaml)`);
  compileOrFail(sources, calendar);
  return sources;
}

const chunkBytes = 1 << 20;

async function openHistory(
  { against, data, from, to }: Flags,
  settings: Settings,
): Promise<{ history: BacktestHistory; close(): Promise<void> }> {
  if (against) {
    if (from !== undefined || to !== undefined)
      throw new CommandFailure('--from and --to choose from a warehouse; leave them out with --against', 2);
    const stats = await Promise.all(against.map((file) => stat(file)));
    return {
      history: {
        total: stats.reduce((sum, { size }) => sum + size, 0),
        identity: JSON.stringify(against.map((file, i) => [file, stats[i]!.size, stats[i]!.mtimeMs])),
        feed: (scorer, between) => pushFiles(against, chunkBytes, scorer, between),
      },
      close: () => Promise.resolve(),
    };
  }
  if (data !== undefined && !existsSync(join(data, 'warehouse')))
    throw new CommandFailure(`${data} holds no warehouse; name the data directory of a platform`);
  const period = {
    fromMs: from === undefined ? 0 : instantOf('--from', from),
    toMs: to === undefined ? endOfTimeMs : instantOf('--to', to),
  };
  const warehouse = await openWarehouse(settings);
  try {
    return { history: await openWarehouseHistory(warehouse, period), close: () => warehouse.close() };
  } catch (error) {
    await warehouse.close();
    throw error;
  }
}

function instantOf(option: string, text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00+08:00`) : Number.NaN;
  if (Number.isNaN(ms)) throw new CommandFailure(`${option} ${text}: expected a day such as 2026-06-01`, 2);
  return ms;
}

const shownExamples = 3;

function describe(
  report: BacktestReport,
  { seconds, transactionsPerSecond }: { seconds: number; transactionsPerSecond: number },
): string {
  const { drafts, history, wouldFire, byPattern, changes } = report;
  const scope = scopeOf(report);
  const lines = [
    `${count(history.transactions)} transactions from ${history.from} to ${history.to} scored twice in ${seconds.toFixed(1)} s (${count(transactionsPerSecond)} a second)`,
    ...(history.rejected > 0 ? [`${count(history.rejected)} records were refused; huqi score says which`] : []),
    ...(scope === null ? [] : [scope]),
    '',
    table(
      ['draft', 'replaces', 'would hit', 'of 1,000', 'accounts', 'warnings', 'title'],
      drafts.map(({ id, version, replaces, title }) => {
        const fire = wouldFire[id]!;
        return [
          `${id} v${version}`,
          replaces === null ? 'new' : `v${replaces}`,
          count(fire.hits),
          fire.hitsPerThousand === null ? '–' : fire.hitsPerThousand.toFixed(2),
          count(fire.accounts),
          count(fire.warnings),
          title.zh,
        ];
      }),
    ),
    '',
    table(['', 'in force', 'with the drafts'], totalRows(report)),
    '',
    table(
      ['pattern', 'hits in force', 'with the drafts', 'new', 'gone'],
      Object.entries(byPattern).map(([pattern, { inForce, draft }]) => [
        pattern,
        count(inForce.hits),
        count(draft.hits),
        count(changes.added.byPattern[pattern] ?? 0),
        count(changes.gone.byPattern[pattern] ?? 0),
      ]),
    ),
    ...examplesOf('new', changes.added),
    ...examplesOf('gone', changes.gone),
  ];
  return `${lines.join('\n')}\n`;
}

function examplesOf(what: string, { hits, examples }: Change): string[] {
  if (hits === 0) return [];
  return [
    '',
    `${what}, for example:`,
    ...examples
      .slice(0, shownExamples)
      .flatMap(({ pattern, time, payer, payee, reason }) => [`  ${pattern} ${time} ${payer} → ${payee}`, `    ${reason.zh}`]),
  ];
}
