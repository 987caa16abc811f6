import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isClustered, openStores, openWarehouse } from '../app.js';
import { loadCatalogue } from '../catalogue.js';
import { createCalendar } from '../domain/calendar.js';
import { createPatternStore } from '../pipeline/pattern-store.js';
import { verify, type Instant, type VerifyReport } from '../pipeline/verify.js';
import type { VerifyProgress } from '../pipeline/verify-scan.js';
import { isDifferent, type Finding } from '../pipeline/verify-tally.js';
import { parseWarningPolicy } from '../pipeline/warning-policy-file.js';
import { loadSettings, type Settings } from '../settings.js';
import { type CommandContext, CommandFailure, plainReason, wholeNumber } from './context.js';
import { createProgress, type Progress } from './progress.js';
import { table } from './table.js';

interface Flags {
  readonly partition?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly archive: boolean;
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

const help = `
Recomputes from the log alone, with the platform's own functions, and compares:

  chains      journals without a hole, positions on the log, producers' numbers without a gap
  hits        every hit on the log: missing, too much, or saying something else
  set aside   transactions on which scoring failed
  forwards    what partitions told one another: each on its receiver's log, once in effect
  warnings    the warnings in the state, grouped once more from the hits
  told        every revision on the log, under one content
  archive     the rows of ClickHouse, up to where the archive has come

It only reads, and may run beside a running platform; what is not scored, told or stored yet is "pending". The embedded ClickHouse
engine is open in one process alone: stop the platform, or leave the archive out with --no-archive. A part of the log
(--partition, --from, --to) compares hits and forwards only. The log is scored from its beginning in any case: the state of an
account is its whole history.

Examples:
  $ huqi verify                                          the whole data directory, of a platform that is stopped
  $ huqi verify --no-archive --json                      beside a running one
  $ huqi verify --partition 0 --from 2026-07-01T00:00:00+08:00

Exit codes: 0 equal, 1 different, 2 wrong arguments, 3 it cannot be checked.`;

/** `huqi verify`: checks that what the platform holds equals a recomputation. */
export function registerVerify(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .summary('recompute from the log and compare')
    .description('Checks that hits, warnings and archive equal what the log leads to.')
    .option('--partition <number...>', 'partitions of transactions; all of them where left out')
    .option('--from <time or offset>', 'compare from this record on: ISO 8601 with a zone (when it came in), or an offset')
    .option('--to <time or offset>', 'compare up to, not including, this record')
    .option('--no-archive', 'leave the archive out')
    .option('--data <directory>', 'data directory of the platform')
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', help)
    .action((flags: Flags) => runVerify(flags, context));
}

async function runVerify(flags: Flags, context: CommandContext): Promise<void> {
  const settings = loadSettings({
    file: flags.config,
    env: context.env,
    overrides: flags.data === undefined ? {} : { dataDir: flags.data },
  });
  const partitionsMax = settings.log.partitions.transactions - 1;
  const partitions = flags.partition?.map((text) => wholeNumber('--partition', text, 0, partitionsMax));
  const [from, to] = [instantOf('--from', flags.from), instantOf('--to', flags.to)];
  const report = await check({ settings, context, withArchive: flags.archive, asked: { partitions, from, to } });
  context.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : shown(report));
  if (report.verdict === 'different') context.setExitCode(1);
}

interface Checking {
  readonly settings: Settings;
  readonly context: CommandContext;
  readonly withArchive: boolean;
  readonly asked: Parts;
}

interface Parts {
  readonly partitions: readonly number[] | undefined;
  readonly from: Instant | undefined;
  readonly to: Instant | undefined;
}

/** Whatever keeps it from checking is `CommandFailure` with code 3. */
async function check({ settings, context, withArchive, asked }: Checking): Promise<VerifyReport> {
  const isWhole = Object.values(asked).every((one) => one === undefined);
  const needsArchive = withArchive && isWhole;
  const isEngineEmbedded = settings.cluster.clickhouseUrl === '';
  const isAlone = needsArchive && isEngineEmbedded && !isClustered(settings);
  const closers: (() => Promise<void>)[] = [];
  const bar = createBar(context);
  try {
    const stores = await openStores(settings, { access: isAlone ? 'alone' : 'beside' });
    closers.push(() => stores.close());
    const warehouse = needsArchive ? await openWarehouse(settings) : null;
    if (warehouse) closers.push(() => warehouse.close());
    const { calendar } = await loadCatalogue(context.paths.config);
    const { log, state } = stores;
    return await verify({
      log,
      state,
      warehouse,
      patternStore: createPatternStore(state, createCalendar(calendar, { unknownYears: 'weekends' })),
      policy: parseWarningPolicy(await readFile(settings.warn.policyFile, 'utf8'), settings.warn.policyFile),
      settings: {
        quarantinedMax: settings.score.quarantinedMax,
        keepDays: settings.warn.keepDays,
        ttlDays: settings.warehouse.ttlDays,
      },
      ...asked,
      clock: context.clock,
      progress: bar.show,
      signal: context.stop,
    });
  } catch (error) {
    throw new CommandFailure(`it cannot be checked: ${reasonOf(error, isAlone)}`, 3);
  } finally {
    bar.clear();
    for (const close of closers.toReversed()) await close().catch(() => undefined);
  }
}

function reasonOf(error: unknown, isAlone: boolean): string {
  const reason = plainReason(error);
  const isTaken = isAlone && error instanceof Error && 'retriable' in error && error.retriable === true;
  return isTaken ? `${reason} Or leave the archive, which one process alone can open, out: --no-archive` : reason;
}

/** One bar for each stage of the work. */
function createBar(context: CommandContext): { readonly show: VerifyProgress; clear(): void } {
  let stage = '';
  let progress: Progress | null = null;
  return {
    show(next, done, total) {
      if (next !== stage) {
        progress?.clear();
        progress = createProgress(context, total);
        stage = next;
      }
      progress?.show(done, next);
    },
    clear: () => progress?.clear(),
  };
}

function instantOf(option: string, text: string | undefined): Instant | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  const timeMs = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(timeMs))
    throw new CommandFailure(
      `${option} ${text}: expected ISO 8601 with a time zone, such as 2026-07-01T00:00:00+08:00, or an offset`,
      2,
    );
  return { timeMs };
}

const count = (number: number): string => number.toLocaleString('en');

function shown({ findings, notes, verdict }: VerifyReport): string {
  const head = ['check', 'where', 'equal', 'missing', 'phantom', 'different', 'pending', 'not comparable'];
  const rows = findings.map((finding) => [
    finding.check,
    finding.place,
    ...[finding.equal, finding.missing, finding.phantom, finding.different, finding.pending, finding.incomparable].map(count),
  ]);
  const lines = [
    table(
      head,
      rows.filter((_, i) => isWorthALine(findings[i]!)),
    ),
    ...findings.filter(isDifferent).flatMap(differencesOf),
    ...notes.map((note) => `  ${note}`),
    verdict === 'equal' ? 'equal: what the platform holds is what its log leads to' : 'different',
  ];
  return `${lines.join('\n')}\n`;
}

/** Checks of topics on which nothing ever stood are left out. */
function isWorthALine(finding: Finding): boolean {
  return finding.compared + finding.phantom + finding.pending + finding.incomparable > 0;
}

function differencesOf({ check: name, place, differences, missing, phantom, different }: Finding): string[] {
  const left = missing + phantom + different - differences.length;
  return [
    ...differences.map(({ kind, id, at }) => `  ${name}, ${place}: ${id} is ${kind} at ${at}`),
    ...(left > 0 ? [`  ${name}, ${place}: and ${count(left)} more`] : []),
  ];
}
