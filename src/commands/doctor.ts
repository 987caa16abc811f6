import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { checkParts } from '../app.js';
import { dayMs, dayNumber, formatDay } from '../domain/bank-day.js';
import { type CalendarData, calendarEndMs, calendarNoticeMs, createCalendar } from '../domain/calendar.js';
import { lookBackMs } from '../pipeline/pattern-warming.js';
import { parseRoutes } from '../pipeline/routes-file.js';
import { parseWarningPolicy } from '../pipeline/warning-policy-file.js';
import type { Pattern } from '../scoring/pattern.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import type { WorkingDays } from '../scoring/window.js';
import { loadSettings } from '../settings.js';
import type { CommandContext } from './context.js';
import { plainReason } from './context.js';
import { readPatterns } from './files.js';

interface Flags {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

interface Finding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

const help = `
Looks at the machine, the settings, the patterns, routes and weights of warnings, and the parts, and says for each what is wrong and what to do. Nothing is
changed; it may run beside a running platform.

Examples:
  $ huqi doctor
  $ huqi doctor --data /srv/huqi --json
  $ HUQI_KAFKA_BROKERS=k1:9092 HUQI_REDIS_URL=redis://r1:6379 huqi doctor

Exit codes: 0 nothing is bad, 1 something is, 2 wrong arguments.`;

/** `huqi doctor`: checks the installation and says the remedy. */
export function registerDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .summary('check the installation')
    .description(
      'Checks the installation: Node, settings, patterns, routes, warnings, disk, and the parts: a data directory, or Kafka, Redis and ClickHouse.',
    )
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--data <directory>', 'data directory')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', help)
    .action((flags: Flags) => runDoctor(flags, context));
}

const nodeMajorMin = 20;
const diskFreeBytesMin = 2 * 2 ** 30;
const memoryBytesMin = 2 * 2 ** 30;
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

async function runDoctor(flags: Flags, context: CommandContext): Promise<void> {
  const findings: Finding[] = [];
  const look = async (check: string, work: () => Promise<Omit<Finding, 'check'>>): Promise<void> => {
    findings.push({
      check,
      ...(await work().catch((error: unknown) => ({ verdict: 'bad' as const, detail: plainReason(error) }))),
    });
  };
  await look('Node', () => Promise.resolve(checkNode(context.nodeVersion)));
  let dataDir: string | undefined = flags.data;
  let kept: Kept | undefined;
  let files: { readonly routes: string; readonly policy: string } | undefined;
  await look('settings', async () => {
    const settings = loadSettings({
      file: flags.config,
      env: context.env,
      overrides: flags.data === undefined ? {} : { dataDir: flags.data },
    });
    dataDir = settings.dataDir;
    kept = { retentionMs: settings.log.retentionMs, ttlDays: settings.warehouse.ttlDays.transactions };
    files = { routes: settings.dispatch.routesFile, policy: settings.warn.policyFile };
    findings.push(...(await checkParts(settings)));
    return { verdict: 'good', detail: `data in ${settings.dataDir}, port ${settings.http.port}` };
  });
  if (files) {
    const { routes, policy } = files;
    await look('routes', async () => {
      parseRoutes(await readFile(routes, 'utf8'), routes);
      return { verdict: 'good', detail: `${routes} loads` };
    });
    await look('warnings', async () => {
      parseWarningPolicy(await readFile(policy, 'utf8'), policy);
      return { verdict: 'good', detail: `${policy} loads` };
    });
  }
  await look('patterns', async () => {
    const { set, calendar } = await readPatterns(join(context.paths.config, 'patterns'), context);
    findings.push(checkCalendar(calendar, context.clock.now()));
    if (kept) findings.push(checkRetention(set, createCalendar(calendar, { unknownYears: 'weekends' }), kept));
    return { verdict: 'good', detail: `${set.patterns.length} patterns load` };
  });
  await look('disk', async () => {
    const { bavail, bsize } = await statfs(nearestExisting(dataDir ?? '.'));
    const free = bavail * bsize;
    return free < diskFreeBytesMin
      ? { verdict: 'bad', detail: `${gib(free)} free; make room, or move the data directory (--data, HUQI_DATA_DIR)` }
      : { verdict: 'good', detail: `${gib(free)} free` };
  });
  await look('memory', () =>
    Promise.resolve(
      totalmem() < memoryBytesMin
        ? { verdict: 'doubtful' as const, detail: `${gib(totalmem())}; a busy platform wants ${gib(memoryBytesMin)} or more` }
        : { verdict: 'good' as const, detail: gib(totalmem()) },
    ),
  );
  if (findings.some(({ verdict }) => verdict === 'bad')) context.setExitCode(1);
  if (flags.json) {
    context.stdout.write(`${JSON.stringify({ ok: findings.every(({ verdict }) => verdict !== 'bad'), findings })}\n`);
    return;
  }
  const width = Math.max(12, ...findings.map(({ check }) => check.length));
  const signs = { good: '✓', doubtful: '!', bad: '✗' } as const;
  for (const { check, verdict, detail } of findings) context.stdout.write(`${signs[verdict]} ${check.padEnd(width)} ${detail}\n`);
}

/** Where there is no data directory yet, its disk is that of the parent in which the start will make it. */
function nearestExisting(directory: string): string {
  const path = resolve(directory);
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

/** Working-day windows of a year without a table take every Monday to Friday for a working day. */
function checkCalendar(calendar: CalendarData, nowMs: number): Finding {
  const endMs = calendarEndMs(calendar);
  const last = formatDay(dayNumber(endMs) - 1);
  const detail = `holidays and make-up days are known up to ${last}`;
  if (nowMs < endMs - calendarNoticeMs) return { check: 'calendar', verdict: 'good', detail };
  const remedy = 'add the next year of the State Council’s notice to config/catalogue/calendar.yaml';
  return { check: 'calendar', verdict: 'doubtful', detail: `${detail}, later days count as Monday to Friday; ${remedy}` };
}

/** How long transactions stay on the log, and in the archive (days, 0 = for ever). */
interface Kept {
  readonly retentionMs: number;
  readonly ttlDays: number;
}

/** Whether what is kept reaches back as far as the patterns look. */
function checkRetention({ patterns }: PatternSet, calendar: WorkingDays, { retentionMs, ttlDays }: Kept): Finding {
  const check = 'retention';
  const spans = patterns.map(({ pattern }) => ({ id: pattern.id, days: longestWindowMs(pattern, calendar) / dayMs }));
  const longest = spans.reduce((most, one) => (one.days > most.days ? one : most), { id: '', days: 0 });
  const looks = `${longest.id} looks back ${Math.ceil(longest.days)} days`;
  const logDays = retentionMs / dayMs;
  if (logDays < longest.days) {
    const detail = `${looks}, but the log keeps ${Math.floor(logDays)}: after a start it sees less; raise log.retentionMs`;
    return { check, verdict: 'doubtful', detail };
  }
  if (ttlDays > 0 && ttlDays < longest.days) {
    const detail = `${looks}, but the archive keeps ${ttlDays}: a backtest sees less; raise warehouse.ttlDays.transactions`;
    return { check, verdict: 'doubtful', detail };
  }
  return { check, verdict: 'good', detail: `${looks}, the log keeps ${Math.floor(logDays)}` };
}

/** Of the condition and of each stream by itself. */
function longestWindowMs({ when, streams }: Pattern, calendar: WorkingDays): number {
  const ofStreams = Object.entries(streams).map(([name, one]) => lookBackMs({ when: '', streams: { [name]: one } }, calendar));
  return Math.max(lookBackMs({ when, streams: {} }, calendar), ...ofStreams);
}

function checkNode(version: string): Omit<Finding, 'check'> {
  const major = Number(version.replace(/^v/, '').split('.')[0]);
  return major < nodeMajorMin
    ? { verdict: 'bad', detail: `${version}; install Node ${nodeMajorMin} or newer` }
    : { verdict: 'good', detail: version };
}
