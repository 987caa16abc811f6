import { join } from 'node:path';
import type { Command } from 'commander';
import { firstKeysFile, isClustered, type Platform, startPlatform } from '../app.js';
import type { StatusSummary } from '../domain/status.js';
import { type Role, roles } from '../pipeline/run.js';
import { loadSettings, type Settings } from '../settings.js';
import { startReceiver, type Receiver } from '../simulate/receiver.js';
import { playSample, sampleVictims } from '../simulate/sample.js';
import { type CommandContext, CommandFailure, plainReason, wholeNumber } from './context.js';
import { createProgress, logAbove, type Progress } from './progress.js';
import { table } from './table.js';

interface Flags {
  readonly only?: string;
  readonly config?: string;
  readonly port?: string;
  readonly data?: string;
  readonly sample: boolean;
  readonly sampleRate: string;
  readonly exitAfterSample?: boolean;
}

const help = `
Into an empty data directory the bundled sample day is played, as a bank would send it, and a table shows what came of it.
A sample that was cut off goes on at the next start. Stop with Ctrl-C; whatever is accepted is kept.

Examples:
  $ huqi up                                     everything on embedded parts at http://127.0.0.1:8080
  $ huqi up --no-sample --port 9000 --data /srv/huqi
  $ HUQI_HOST=0.0.0.0 huqi up --no-sample       for other machines: then reading needs a key as well
  $ huqi up --exit-after-sample                 play the sample, print the table, end
  $ HUQI_KAFKA_BROKERS=k1:9092,k2:9092 HUQI_REDIS_URL=redis://r1:6379 HUQI_CLICKHOUSE_URL=http://c1:8123 huqi up --only score
                                                one part of a cluster; every process answers /healthz, /readyz and /metrics

Exit codes: 0 stopped as asked, 1 it cannot start or a part has failed, 2 wrong arguments.`;

/** `huqi up`: runs the platform. */
export function registerUp(program: Command, context: CommandContext, version: string): void {
  program
    .command('up')
    .summary('run the platform')
    .description('Runs the platform: intake, scoring, warnings, dispatch, archive, HTTP and the live page.')
    .option('--only <parts>', `run only these parts, on Kafka and Redis: some of ${roles.join(',')}`)
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--port <number>', 'port to listen on; 0 takes a free one')
    .option('--data <directory>', 'data directory')
    .option('--no-sample', 'do not play the bundled sample day')
    .option('--sample-rate <number>', 'records of the sample a second', '1500')
    .option('--exit-after-sample', 'end when the sample is played and everything is stored')
    .addHelpText('after', help)
    .action((flags: Flags) => up(flags, context, version));
}

async function up(flags: Flags, context: CommandContext, version: string): Promise<void> {
  const only = flags.only === undefined ? undefined : rolesOf(flags.only);
  const rate = wholeNumber('--sample-rate', flags.sampleRate, 1, 1_000_000);
  const port = flags.port === undefined ? undefined : wholeNumber('--port', flags.port, 0, 65_535);
  const settings = loadSettings({
    file: flags.config,
    env: context.env,
    overrides: {
      ...(flags.data === undefined ? {} : { dataDir: flags.data }),
      ...(port === undefined ? {} : { http: { port } }),
    },
  });
  if (only && !isClustered(settings))
    throw new CommandFailure(
      '--only needs Kafka and Redis (HUQI_KAFKA_BROKERS, HUQI_REDIS_URL): with embedded parts all parts run in one process',
      2,
    );
  // The sample day is for looking around, never for a store that others may share.
  const mayPlay = flags.sample && !isClustered(settings);
  const reach = createSampleReach(mayPlay);
  context.keepFilesPrivate();
  const progress = createProgress(context, 0);
  const platform = await startPlatform({
    settings,
    version,
    paths: context.paths,
    clock: context.clock,
    roles: only,
    webhookMayReach: reach.mayReach,
    logTo: logAbove(context, progress),
  });
  let receiver: Receiver | undefined;
  try {
    showStart(platform, settings, context);
    const playing = mayPlay && (await shouldPlay(platform));
    if (playing) receiver = await demonstrate(platform, rate, progress, context, reach);
    else {
      reach.decide('');
      if (!isClustered(settings)) await forgetDemonstration(platform);
    }
    // A run that was cut off after the last record has nothing left to play, but must end as well.
    const work = mayPlay && flags.exitAfterSample ? platform.pipeline.drained(context.stop) : stopAsked(context.stop);
    await Promise.race([work, platform.failed]);
  } catch (error) {
    if (!context.stop.aborted) {
      // Said before anything is closed: what is broken may hold up the closing as well.
      context.stderr.write(`huqi: ${plainReason(error)}\n`);
      context.setExitCode(1);
    }
  } finally {
    await within(closeMsMax, closeAll(receiver, platform));
  }
}

/**
 * Whatever is durable stays durable however the process ends, so a part that does not close is left behind. Last snapshots may take 20 s
 * of it; `docker-compose.yml` grants 30.
 */
const closeMsMax = 27_000;

async function closeAll(receiver: Receiver | undefined, platform: Platform): Promise<void> {
  await receiver?.close();
  await platform.close();
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const limit = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
  await Promise.race([work.catch(() => undefined), limit]);
}

/**
 * The demonstration's receiver listens on loopback, where webhooks may not go otherwise. Until it is decided whether the sample is
 * played (on), what a sample that was cut off has left is not refused for good.
 */
interface SampleReach {
  readonly mayReach: (origin: string) => boolean;
  /** The receiver's origin, '' for none. */
  decide(origin: string): void;
}

function createSampleReach(mayPlay: boolean): SampleReach {
  let decided = mayPlay ? null : '';
  return {
    mayReach: (origin) => (decided === null ? new URL(origin).hostname === '127.0.0.1' : origin === decided),
    decide(origin) {
      decided = origin;
    },
  };
}

function showStart({ url, firstKeys, pipeline }: Platform, { dataDir }: Settings, { stdout }: CommandContext): void {
  const part = pipeline.roles.size < roles.length ? `: ${[...pipeline.roles].join(', ')}` : '';
  stdout.write(`HuQi 护企 runs at ${url}${part}\n`);
  if (!firstKeys) return;
  stdout.write(`API keys for a bank and for the anti-fraud centre were made; they stand once in ${firstKeysFile(dataDir)}\n`);
}

/** An empty store, or a sample that was cut off. */
async function shouldPlay({ isEmpty, pipeline }: Platform): Promise<boolean> {
  if (isEmpty) await pipeline.marks.set('sample', 'playing');
  return (await pipeline.marks.get('sample')) === 'playing';
}

const recipientIds = { centre: 'sample-centre', bank: 'sample-bank' };
const sampleEnterprises = 3;

/** Registers recipients on loopback, plays the sample, waits until all of it is stored, prints the table. */
async function demonstrate(
  platform: Platform,
  rate: number,
  progress: Progress,
  context: CommandContext,
  reach: SampleReach,
): Promise<Receiver> {
  const { pipeline, status, url } = platform;
  const directory = join(context.paths.config, 'sample');
  await forgetDemonstration(platform);
  const secrets = new Map<string, string>();
  const receiver = await startReceiver({ secretFor: (recipient) => secrets.get(recipient) });
  reach.decide(new URL(receiver.url).origin);
  const register = async (id: string, kind: 'enterprise' | 'bank' | 'centre', match: string, name: string): Promise<void> => {
    const { secret } = await pipeline.recipients.put(id, { kind, match, name, webhook: { url: `${receiver.url}/${id}` } });
    if (secret !== undefined) secrets.set(id, secret);
  };
  await register(recipientIds.centre, 'centre', '*', '省反诈中心（演示）');
  await register(recipientIds.bank, 'bank', '102', '演示银行');
  for (const [i, { creditCode, name }] of (await sampleVictims(directory, sampleEnterprises)).entries())
    await register(`sample-enterprise-${i + 1}`, 'enterprise', creditCode, name);

  context.stdout.write(`playing the sample day at ${rate.toLocaleString('en')} records a second; watch the warnings at ${url}\n`);
  const sent = await Promise.race([
    playSample({
      directory,
      accept: (body) => pipeline.intake.accept(body),
      rate,
      clock: context.clock,
      stop: context.stop,
      onProgress: (done) => progress.show(done, `${done.toLocaleString('en')} records sent`),
    }),
    platform.failed,
  ]);
  await Promise.race([pipeline.drained(context.stop), platform.failed]);
  await pipeline.marks.set('sample', 'played');
  await Promise.race([settledDeliveries(platform, context.stop), platform.failed]);
  await pipeline.drained(context.stop);
  progress.clear();
  context.stdout.write(`${describe(await status.fresh(), { sent, url, receiver })}\n`);
  return receiver;
}

async function settledDeliveries({ pipeline }: Platform, stop: AbortSignal): Promise<void> {
  for (let waits = 0; (pipeline.dispatch?.pending() ?? 0) > 0 && waits < 200; waits++) {
    stop.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function forgetDemonstration({ pipeline }: Platform): Promise<void> {
  const registered = await pipeline.recipients.list();
  for (const { id } of registered)
    if (id === recipientIds.centre || id === recipientIds.bank || id.startsWith('sample-enterprise-'))
      await pipeline.recipients.remove(id);
}

/** Throws `CommandFailure` for a part that there is not. */
function rolesOf(text: string): ReadonlySet<Role> {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !roles.some((role) => role === name));
  if (unknown !== undefined) throw new CommandFailure(`--only ${text}: expected some of ${roles.join(',')}`, 2);
  return new Set(roles.filter((role) => names.includes(role)));
}

function stopAsked(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
}

/** Fits a terminal of 120 columns beside the other two. */
const noteColumnsMax = 88;

/** The words in lines of so many columns, each word whole. */
function inLines(words: readonly string[], columnsMax: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 2 + word.length <= columnsMax) lines[lines.length - 1] = `${line}, ${word}`;
    else lines.push(word);
  }
  return lines;
}

const levelWords = { red: '红 red', orange: '橙 orange', yellow: '黄 yellow', blue: '蓝 blue' } as const;

function describe(status: StatusSummary, { sent, url, receiver }: { sent: number; url: string; receiver: Receiver }): string {
  const count = (value: number): string => value.toLocaleString('en');
  const { transactions, references, rejected, hits, warnings, deliveries, latencyMs } = status;
  const listed = (counts: Readonly<Record<string, number>>): string[] =>
    Object.entries(counts).map(([name, n]) => `${name} ${n}`);
  const byPattern = inLines(listed(hits.byPattern), noteColumnsMax);
  const onTrial = Object.keys(hits.shadows.byPattern).length;
  const rows = [
    ['transactions', count(transactions.accepted), `of ${count(sent)} lines sent`],
    ['reference records', count(references.accepted), 'profiles, logins, lists … among them'],
    ['rejected', count(rejected.total), listed(rejected.byReason).join(', ')],
    ['resent', count(transactions.duplicates), 'counted once'],
    ['hits', count(hits.total), byPattern[0] ?? ''],
    ...byPattern.slice(1).map((line) => ['', '', line]),
    ['hits in shadow', count(hits.shadows.total), `of ${onTrial} patterns on trial, which warn nobody`],
    [
      'warnings',
      count(warnings.total),
      (['red', 'orange', 'yellow', 'blue'] as const).map((level) => `${levelWords[level]} ${warnings.byLevel[level]}`).join(', '),
    ],
    [
      'deliveries',
      count(deliveries.delivered),
      `refused ${deliveries.refused}, pending ${deliveries.pending}; the webhook receiver verified ${count(receiver.counts.received)}`,
    ],
    ['intake → warning', `${latencyMs.p50?.toFixed(0) ?? '–'} ms`, `p50; p99 ${latencyMs.p99?.toFixed(0) ?? '–'} ms`],
  ];
  return [
    '',
    table(['sample day', '', ''], rows),
    '',
    `  live page     ${url}/`,
    `  interface     ${url}/openapi.json   metrics ${url}/metrics`,
    '  a file of yours: huqi send FILE --to URL --key KEY (keys.json in the data directory)',
  ].join('\n');
}
