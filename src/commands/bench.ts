import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { benchEngine } from '../bench/engine.js';
import { benchLatency, benchThroughput, type Throughput, type ThroughputFigures, type Latency } from '../bench/live.js';
import { createMaterial, withHotAccount } from '../bench/material.js';
import { medianOf, warmSeconds, type Measured } from '../bench/measure.js';
import { benchRecovery } from '../bench/recovery.js';
import { measurePatterns, measureSlowest } from '../bench/pattern-costs.js';
import { dayNumber } from '../domain/bank-day.js';
import { runBacktest } from '../pipeline/backtest.js';
import { withDrafts } from '../pipeline/backtest-sets.js';
import { createFileScorer, type FileScorer } from '../pipeline/score-file.js';
import { createTwoThreadScorer } from '../pipeline/score-threads.js';
import { parseWarningPolicy } from '../pipeline/warning-policy-file.js';
import { readPatternFiles } from '../pipeline/pattern-files.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { writeBankDay } from '../simulate/write.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { pushFiles, readPatterns, type LoadedPatterns } from './files.js';
import { table } from './table.js';

interface Flags {
  readonly runs: string;
  readonly scale: string;
  readonly only?: string;
  readonly threads?: string;
  readonly json?: boolean;
}

export const benchNames = ['engine', 'patterns', 'hot', 'score', 'backtest', 'growth', 'recovery', 'live', 'latency'] as const;
type BenchName = (typeof benchNames)[number];

const help = `
  engine    the engine alone on transactions that are read already, all patterns, one core; and what reading costs
  patterns  what each pattern costs, the dearest first; the slowest transactions
  hot       how much dearer it gets when one account has a fifth of all traffic
  score     huqi score on a file of full records: read, checked, deduplicated, scored
  backtest  a history scored twice in one reading: with the patterns and with a draft among them; and the draft --alone
  growth    cost of a transaction and memory of an account with 10,000 and with 1,000,000 accounts
  recovery  a snapshot of a partition with 1,000,000 accounts, and a start from it
  live      HTTP in → durable → scored → hits stored, everything embedded in one process
  latency   5,000 transactions a second over HTTP, from the request to the warning on the live feed; a process's first 15 s by themselves

Figures are medians of several runs on simulated bank days; a machine that does other work shows lower ones.

Examples:
  $ huqi bench                      all of them, some minutes
  $ huqi bench engine score --runs 7
  $ huqi bench --scale 0.1 --json   quick and small
  $ huqi bench engine --only V01,V12,M03

Exit codes: 0 measured, 1 something failed, 2 wrong arguments.`;

/** `huqi bench`: measures this machine. */
export function registerBench(program: Command, context: CommandContext, version: string): void {
  program
    .command('bench')
    .summary('measure how fast it runs here')
    .description('Measures how fast HuQi runs on this machine, on simulated bank days.')
    .argument('[names...]', benchNames.join(', '))
    .option('--runs <number>', 'runs of which the median counts', '5')
    .option('--scale <number>', 'size of the material, 1 is full', '1')
    .option('--only <ids>', 'with these patterns alone, such as V01,V12,M03')
    .option('--threads <number>', 'score.threads of live and latency, a number or auto; as in the settings where left out')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', help)
    .action((names: string[], flags: Flags) => runBench(names, flags, context, version));
}

/** The dearest so many are printed. */
const patternsShown = 20;

interface Row {
  readonly bench: BenchName;
  readonly what: string;
  readonly figure: string;
  readonly value: number;
  readonly runs?: readonly number[];
}

async function runBench(names: readonly string[], flags: Flags, context: CommandContext, version: string): Promise<void> {
  const unknown = names.filter((name) => !(benchNames as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new CommandFailure(`there is no benchmark ${unknown.join(', ')}; there are ${benchNames.join(', ')}`, 2);
  const runs = wholeNumber('--runs', flags.runs, 1, 100);
  const scale = Number(flags.scale);
  if (!(scale > 0 && scale <= 10)) throw new CommandFailure(`--scale ${flags.scale}: expected a number above 0, up to 10`, 2);
  const threads = threadsOf(flags.threads);
  const scaled = (count: number): number => Math.max(5_000, Math.round(count * scale));
  const { figures, patterns } = await withConfig(flags.only, context, async (own) => {
    const loaded = await readPatterns(join(own.paths.config, 'patterns'), own);
    const { set } = loaded;
    const rows: Row[] = [];
    for (const name of names.length > 0 ? (names as BenchName[]) : benchNames) {
      own.stderr.write(`${name} …\n`);
      rows.push(...(await benches[name]({ patterns: loaded, set, runs, scaled, context: own, version, threads })));
    }
    return { figures: rows, patterns: set.patterns.length };
  });
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${context.nodeVersion}`;
  if (flags.json) context.stdout.write(`${JSON.stringify({ machine, patterns, runs, scale, figures })}\n`);
  else
    context.stdout.write(
      `${machine}; ${patterns} patterns; medians of ${runs} runs\n\n${table(
        ['bench', 'figure', 'what'],
        figures.map(({ bench, what, figure }) => [bench, figure, what]),
      )}\n`,
    );
}

function threadsOf(text: string | undefined): { readonly threads?: number | 'auto' } {
  if (text === undefined) return {};
  return { threads: text === 'auto' ? text : wholeNumber('--threads', text, 0, 256) };
}

/** With a configuration that holds the wanted patterns alone, where not all are wanted. */
async function withConfig<T>(
  ids: string | undefined,
  context: CommandContext,
  work: (context: CommandContext) => Promise<T>,
): Promise<T> {
  if (ids === undefined) return work(context);
  const only = ids.split(',').map((id) => id.trim());
  const from = context.paths.config;
  const idOf = (file: string): string => basename(file).split('-')[0]!;
  const known = (await readPatternFiles(join(from, 'patterns'))).map(({ file }) => idOf(file));
  const missing = only.filter((id) => !known.includes(id));
  if (missing.length > 0) throw new CommandFailure(`--only: there is no pattern "${missing.join('", "')}" in config/patterns`, 2);
  const directory = await mkdtemp(join(tmpdir(), 'huqi-bench-config-'));
  const isWanted = (file: string): boolean => {
    if (relative(from, file).startsWith('sample')) return false;
    return basename(dirname(file)) !== 'patterns' || only.includes(idOf(file));
  };
  try {
    await cp(from, directory, { recursive: true, filter: isWanted });
    return await work({ ...context, paths: { ...context.paths, config: directory } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

interface BenchContext {
  readonly patterns: LoadedPatterns;
  readonly set: PatternSet;
  readonly runs: number;
  readonly scaled: (count: number) => number;
  readonly context: CommandContext;
  readonly version: string;
  readonly threads: { readonly threads?: number | 'auto' };
}

const rate = (value: number): string => Math.round(value).toLocaleString('en');

const benches: Record<BenchName, (bench: BenchContext) => Promise<Row[]>> = {
  async engine({ set, runs, scaled }) {
    const { transactionsPerSecond, readMicroseconds, bothMicroseconds, bytesPerRecord, hits } = await benchEngine(set, {
      accounts: 20_000,
      transactions: scaled(200_000),
      runs,
    });
    return [
      row(
        'engine',
        `transactions/s, engine alone, ${hits.toLocaleString('en')} hits built`,
        rate(transactionsPerSecond.median),
        transactionsPerSecond,
      ),
      row(
        'engine',
        `µs to read and check a record of ${Math.round(bytesPerRecord)} bytes`,
        readMicroseconds.median.toFixed(2),
        readMicroseconds,
      ),
      row('engine', 'µs to read and score it', bothMicroseconds.median.toFixed(2), bothMicroseconds),
    ];
  },
  async patterns({ set, runs, scaled }) {
    const material = createMaterial(20_000, scaled(200_000));
    // Twice: the first time the compiler learns.
    measurePatterns(set, material, 1);
    const dearest = measurePatterns(set, material, Math.min(runs, 3)).slice(0, patternsShown);
    measureSlowest(set, material);
    const p99 = measureSlowest(set, material);
    return [
      { bench: 'patterns', what: 'µs, 99th percentile of one transaction by itself', figure: p99.toFixed(1), value: p99 },
      ...dearest.map(({ id, perTransaction }): Row => ({
        bench: 'patterns',
        what: `ns a transaction for ${id}`,
        figure: rate(perTransaction),
        value: perTransaction,
      })),
    ];
  },
  async hot({ set, runs, scaled }) {
    const material = createMaterial(20_000, scaled(200_000));
    const options = { accounts: 20_000, transactions: material.count, runs: Math.min(runs, 3) };
    const even = await benchEngine(set, { ...options, material });
    const hot = await benchEngine(set, { ...options, material: withHotAccount(material) });
    const ratio = hot.bothMicroseconds.median / even.bothMicroseconds.median;
    return [
      row(
        'hot',
        'µs to read and score a transaction, traffic as usual',
        even.bothMicroseconds.median.toFixed(2),
        even.bothMicroseconds,
      ),
      row('hot', 'µs where one account has a fifth of all traffic', hot.bothMicroseconds.median.toFixed(2), hot.bothMicroseconds),
      { bench: 'hot', what: 'times the cost', figure: ratio.toFixed(2), value: ratio },
    ];
  },
  async score({ patterns, set, runs, scaled }) {
    return withBankDay(scaled(400_000), async (file, bytesPerRecord) => {
      const options = { partitions: 1, nowMs: Infinity, onHits: () => undefined, onRejected: () => undefined };
      const measure = (make: () => Promise<FileScorer>) =>
        medianOf(runs, async () => {
          const scorer = await make();
          const startedMs = performance.now();
          await pushFiles([file], 1_048_576, scorer, () => Promise.resolve());
          await scorer.end();
          const seconds = (performance.now() - startedMs) / 1000;
          await scorer.close();
          return scorer.totals.lines / seconds;
        });
      const one = await measure(() => Promise.resolve(createFileScorer(set, options)));
      const two = await measure(() => createTwoThreadScorer(patterns.sources, patterns.calendar, options));
      const what = `records of ${bytesPerRecord} bytes from a file`;
      return [
        row('score', `transactions/s on one thread, ${what}`, rate(one.median), one),
        row('score', `transactions/s on two threads, ${what}`, rate(two.median), two),
      ];
    });
  },
  async backtest({ patterns, runs, scaled, context }) {
    const policyFile = join(context.paths.config, 'warnings.yaml');
    const policy = parseWarningPolicy(await readFile(policyFile, 'utf8'), policyFile);
    const { sources, calendar } = patterns;
    // A pattern against itself: what is measured is the work, not the draft.
    const draft = withDrafts(sources, sources.slice(0, 1));
    if (draft.kind === 'broken') throw new CommandFailure('the patterns that ship do not load');
    return withBankDay(scaled(400_000), async (file) => {
      const measure = (alone: boolean) =>
        medianOf(runs, async () => {
          const startedMs = performance.now();
          const { history } = await runBacktest({
            inForce: sources,
            draft,
            alone,
            calendar,
            policy,
            labels: null,
            nowMs: Infinity,
            signal: context.stop,
            history: { total: 0, identity: file, feed: (scorer, between) => pushFiles([file], 1_048_576, scorer, between) },
          });
          return (history.transactions / (performance.now() - startedMs)) * 1000;
        });
      const rowsOf = (what: string, perSecond: Measured): Row[] => [
        row(
          'backtest',
          `transactions/s, each scored twice, ${what}, start of the threads included`,
          rate(perSecond.median),
          perSecond,
        ),
        {
          bench: 'backtest',
          what: `seconds for 10,000,000 transactions at this rate, ${what} (reckoned)`,
          figure: (10_000_000 / perSecond.median).toFixed(0),
          value: 10_000_000 / perSecond.median,
        },
      ];
      return [...rowsOf('all patterns', await measure(false)), ...rowsOf('one draft --alone', await measure(true))];
    });
  },
  async growth({ set, runs, scaled }) {
    const measure = (accounts: number, transactions: number) =>
      benchEngine(set, { accounts, transactions, runs: Math.min(runs, 3) });
    // As many transactions for an account in both.
    const small = await measure(10_000, scaled(20_000));
    const large = await measure(1_000_000, scaled(2_000_000));
    const ratio = large.bothMicroseconds.median / small.bothMicroseconds.median;
    const { accounts, subjects, legs, bytes } = large.stats;
    return [
      row(
        'growth',
        `µs to read and score a transaction among 10,000 accounts`,
        small.bothMicroseconds.median.toFixed(2),
        small.bothMicroseconds,
      ),
      row('growth', `µs among 1,000,000 accounts`, large.bothMicroseconds.median.toFixed(2), large.bothMicroseconds),
      { bench: 'growth', what: 'times the cost', figure: ratio.toFixed(2), value: ratio },
      {
        bench: 'growth',
        what: `bytes an active account: ${accounts.toLocaleString('en')} accounts, ${subjects.toLocaleString('en')} corporate ones with a history, ${legs.toLocaleString('en')} legs`,
        figure: rate(bytes / accounts),
        value: bytes / accounts,
      },
    ];
  },
  async recovery({ set, runs, scaled }) {
    const figures = await benchRecovery(set, {
      accounts: scaled(1_000_000),
      transactions: scaled(2_000_000),
      runs: Math.min(runs, 3),
    });
    const { accounts, transactions, bytes, storedBytes, copySeconds, storeSeconds, restoreSeconds, scoreAgainSeconds } = figures;
    const megabytes = (value: number) => `${rate(value / 1e6)} MB`;
    const seconds = (what: string, value: number): Row => ({ bench: 'recovery', what, figure: value.toFixed(1), value });
    return [
      row(
        'recovery',
        `s from the store to a ready engine: ${rate(accounts)} accounts, ${megabytes(bytes)} of state, stored as ${megabytes(storedBytes)}`,
        restoreSeconds.median.toFixed(1),
        restoreSeconds,
      ),
      seconds(`s to score the ${rate(transactions)} transactions again instead`, scoreAgainSeconds),
      seconds('s to copy the state, while nothing is scored', copySeconds),
      seconds('s to compress and store it, beside the scoring', storeSeconds),
    ];
  },
  async live({ runs, scaled, context, version, threads }) {
    const figures: ThroughputFigures[] = [];
    const transactions = scaled(300_000);
    for (let run = 0; run < Math.min(runs, 3); run++)
      figures.push(await benchThroughput({ paths: context.paths, version, ...threads }, { accounts: 20_000, transactions }));
    const rowsOf = (all: readonly Throughput[], when: string): Row[] =>
      [
        { what: 'transactions/s, first request to last hit stored', of: (one: Throughput) => one.transactionsPerSecond },
        { what: 'transactions/s accepted (durable)', of: (one: Throughput) => one.acceptedPerSecond },
        { what: 'transactions/s until all transactions are archived too', of: (one: Throughput) => one.archivedPerSecond },
      ].map(({ what, of }) => {
        const measured = { all: all.map(of), median: middle(all.map(of)) };
        return row('live', `${what}${when}`, rate(measured.median), measured);
      });
    return [
      ...rowsOf(
        figures.map(({ warm }) => warm),
        '',
      ),
      ...rowsOf(
        figures.map(({ first }) => first),
        `, the process's first ${rate(transactions)}`,
      ),
    ];
  },
  async latency({ scaled, context, version, threads }) {
    const place = { paths: context.paths, version, ...threads };
    const {
      rate: perSecond,
      warm,
      first,
    } = await benchLatency(place, { accounts: 10_000, transactions: scaled(100_000), rate: 5_000 });
    const rowsOf = ({ warnings, p50Ms, p99Ms }: Latency, when: string): Row[] => {
      const what = `ms from request to warning on the feed at ${perSecond.toLocaleString('en')}/s, ${warnings} warnings${when}`;
      return [
        { bench: 'latency', what: `p50 ${what}`, figure: p50Ms.toFixed(1), value: p50Ms },
        { bench: 'latency', what: `p99 ${what}`, figure: p99Ms.toFixed(1), value: p99Ms },
      ];
    };
    return [...rowsOf(warm, ''), ...rowsOf(first, ` of its first ${warmSeconds} s`)];
  },
};

/** Writes a simulated day to a file, and removes it when the work is done. */
async function withBankDay<T>(transactions: number, work: (file: string, bytesPerRecord: number) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'huqi-bench-'));
  try {
    const file = join(directory, 'day.ndjson');
    const day = dayNumber(Date.parse('2026-07-01T00:00:00+08:00'));
    await writeBankDay({ bankDay: { accounts: 40_000, transactions, seed: 1, day }, out: file });
    return await work(file, Math.round((await stat(file)).size / transactions));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function row(bench: BenchName, what: string, figure: string, { median, all }: { median: number; all: readonly number[] }): Row {
  return { bench, what, figure, value: median, runs: all };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}
