/**
 * The platform's scoring through Kafka and Redis. `npx tsx bench/cluster.ts [transactions] [rate,rate] [threads]`, after `npm run build`.
 * HUQI_KAFKA_BROKERS and HUQI_REDIS_URL name servers, whose topics and keys it then adds to; otherwise it starts one broker and one
 * Redis (`appendfsync always`) of its own and ends them.
 */
import { randomUUID } from 'node:crypto';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStores } from '../src/app.js';
import { createMaterial, firstDay } from '../src/bench/material.js';
import { percentile, warmSeconds } from '../src/bench/measure.js';
import { decodeEvents } from '../src/domain/event.js';
import type { Hit } from '../src/domain/hit.js';
import { createIntake } from '../src/pipeline/intake.js';
import { createPatternStore } from '../src/pipeline/pattern-store.js';
import { scoreLag } from '../src/pipeline/positions.js';
import type { Log } from '../src/ports/log.js';
import type { State } from '../src/ports/state.js';
import { loadSettings } from '../src/settings.js';
import { startKafka } from '../tests/cluster/support/kafka-broker.js';
import { startRedis } from '../tests/cluster/support/redis-server.js';
import { startHuqi, type Environment, type Running } from '../tests/support/huqi.js';
import { metricTotal } from '../tests/support/metrics.js';
import { shippedPatterns, workingDays } from '../tests/support/patterns.js';

const transactions = Number(process.argv[2] ?? 200_000);
/** Transactions a second into `incoming`, with twelve patterns and with all. */
const [rateOfTwelve = 10_000, rateOfAll = 2_000] = process.argv[3]?.split(',').map(Number) ?? [];
/** `score.threads` of each scorer; as it ships where left out. */
const threads = process.argv[4];
const accounts = 20_000;
const linesPerBody = 2_000;
const basic = new Set(['V01', 'V11', 'V12', 'M01', 'M02', 'M03', 'M04', 'M05', 'M07', 'M08', 'M12', 'M16']);
const latencySeconds = 2 * warmSeconds;

type PatternChoice = 'all patterns' | 'twelve patterns';

interface Place {
  readonly environment: Environment;
  readonly log: Log;
  readonly state: State;
}

const servers = await findServers();
const running: Running[] = [];
try {
  for (const [patterns, scorers] of [
    ['twelve patterns', 1],
    ['all patterns', 1],
    ['all patterns', 2],
  ] as const)
    say(`${patterns}, ${scorers} scorer(s)`, await throughput(patterns, scorers));
  say('all patterns, a second scorer', await joining());
  const fromIncoming = 'from the topic incoming to a hit';
  say(`twelve patterns, ${fromIncoming}`, await latency('twelve patterns', rateOfTwelve));
  say(`all patterns, ${fromIncoming}`, await latency('all patterns', rateOfAll));
} finally {
  await endRunning();
  await servers.stop();
}
process.exit();

/** Transactions a second while the second half is scored, all of them on the topic before: the compiler has learnt by then. */
async function throughput(patterns: PatternChoice, scorers: number): Promise<string> {
  return withPlace(patterns, async ({ environment, log, state }) => {
    await fill(log, state);
    const started = Array.from({ length: scorers }, () => up(environment, 'score'));
    const looks: { readonly atMs: number; readonly scored: number }[] = [];
    await until(async () => {
      const scored = await Promise.all(started.map((one) => scoredBy(one)));
      looks.push({ atMs: performance.now(), scored: scored.reduce((sum, count) => sum + count) });
      return (await scoreLag({ log, state })) === 0;
    }, 100);
    const { scored: all } = looks.at(-1)!;
    const [half, end] = [all / 2, all].map((count) => looks.find(({ scored }) => scored >= count)!);
    const share = (end!.scored - half!.scored) / all;
    const seconds = (end!.atMs - half!.atMs) / 1_000;
    if (seconds === 0) return 'over before it could be measured, give it more transactions';
    return `${figure((transactions * share) / seconds)} transactions/s (${figure(transactions * share)} in ${seconds.toFixed(1)} s)`;
  });
}

/** Seconds from the moment at which a process is up until it scores beside the one that had all partitions. */
async function joining(): Promise<string> {
  return withPlace('all patterns', async ({ environment, log, state }) => {
    await fill(log, state);
    const first = up(environment, 'score');
    await until(async () => (await scoredBy(first)) > 0);
    const fromMs = performance.now();
    const second = up(environment, 'score');
    await second.printed(/runs at http/);
    const upMs = performance.now();
    await until(async () => (await scoredBy(second)) > 0);
    const left = await scoreLag({ log, state });
    const [started, scores] = [upMs - fromMs, performance.now() - upMs].map((ms) => (ms / 1_000).toFixed(1));
    return `up after ${started} s, scores ${scores} s later (${figure(left)} records were left)`;
  });
}

async function scoredBy(scorer: Running): Promise<number> {
  const [, url] = await scorer.printed(/runs at (http:\/\/[^\s:]+:\d+)/);
  return metricTotal(url!, 'huqi_transactions_scored_total');
}

async function until(isSo: () => Promise<boolean>, everyMs = 50): Promise<void> {
  while (!(await isSo())) await sleep(everyMs);
}

/** Puts the transactions onto the log as intake does. */
async function fill(log: Log, state: State): Promise<void> {
  const intake = createIntake({ log, state, clock: Date, newId: randomUUID });
  const { bytes, starts, count } = createMaterial(accounts, transactions);
  const newline = Buffer.from('\n');
  for (let at = 0; at < count; at += linesPerBody) {
    const lines: Uint8Array[] = [];
    for (let i = at; i < Math.min(count, at + linesPerBody); i++) lines.push(bytes.subarray(starts[i], starts[i + 1]), newline);
    await intake.accept(Buffer.concat(lines));
  }
  await intake.settled();
}

/** Milliseconds from writing a transaction to the topic that banks write to until its hit is read from the log. */
async function latency(patterns: PatternChoice, rate: number): Promise<string> {
  return withPlace(patterns, async ({ environment, log, state }) => {
    await fill(log, state);
    const parts = [up(environment, 'incoming'), up(environment, 'score')];
    await Promise.all(parts.map((one) => one.printed(/runs at http/)));
    await until(async () => (await scoreLag({ log, state })) === 0);
    const sentAtMs = new Map<string, number>();
    const found: { readonly sentAtMs: number; readonly tookMs: number }[] = [];
    const reading = new AbortController();
    const readers = Array.from({ length: log.partitions('hits') }, (_, partition) =>
      readHits(log, partition, reading.signal, (id) => {
        const sent = sentAtMs.get(id);
        if (sent !== undefined) found.push({ sentAtMs: sent, tookMs: performance.now() - sent });
      }),
    );
    const fromMs = performance.now();
    const sentPerSecond = await write(log, rate, sentAtMs);
    await sleep(3_000);
    reading.abort();
    await Promise.all(readers);
    const warmFromMs = fromMs + warmSeconds * 1_000;
    const shares = [found.filter((hit) => hit.sentAtMs < warmFromMs), found.filter((hit) => hit.sentAtMs >= warmFromMs)];
    const [first, warm] = shares.map((hits) => {
      const latenciesMs = hits.map(({ tookMs }) => tookMs);
      const [p50, p99] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)];
      return `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${figure(hits.length)} hits`;
    });
    return `at ${figure(sentPerSecond)}/s (asked ${figure(rate)}): first ${warmSeconds} s ${first}; then ${warm}`;
  });
}

async function write(log: Log, rate: number, sentAtMs: Map<string, number>): Promise<number> {
  const { bytes, starts, count } = createMaterial(accounts, rate * latencySeconds, 2, firstDay + 1);
  const fromMs = performance.now();
  let sent = 0;
  while (sent < count) {
    const due = Math.min(count, Math.floor(((performance.now() - fromMs) / 1_000) * rate));
    const records = Array.from({ length: Math.min(due - sent, linesPerBody) }, (_, i) => {
      const value = bytes.subarray(starts[sent + i], starts[sent + i + 1]);
      const id = /"id":"([^"]+)"/.exec(Buffer.from(value).toString('latin1'))?.[1] ?? '';
      sentAtMs.set(id, performance.now());
      return { topic: 'incoming' as const, partition: 0, value };
    });
    if (records.length > 0) await log.append(records);
    else await sleep(5);
    sent += records.length;
  }
  return count / ((performance.now() - fromMs) / 1_000);
}

async function readHits(log: Log, partition: number, signal: AbortSignal, onHit: (transaction: string) => void): Promise<void> {
  let { next: at } = await log.bounds('hits', partition);
  while (!signal.aborted) {
    const { records, next } = await log.read('hits', partition, at, { recordsMax: 1_000, bytesMax: 16 * 2 ** 20 });
    at = next;
    for (const { value } of records)
      for (const { type, data } of decodeEvents(value).events) if (type.startsWith('hit.')) onHit((data as Hit).transaction);
    if (records.length === 0) await log.waitFor('hits', partition, at, 50);
  }
}

/** Topics and keys of its own, with the patterns in force. */
async function withPlace<T>(patterns: PatternChoice, work: (place: Place) => Promise<T>): Promise<T> {
  const prefix = `bench-${randomUUID().slice(0, 8)}`;
  const environment: Environment = {
    ...servers.environment,
    HUQI_KAFKA_TOPIC_PREFIX: prefix,
    HUQI_REDIS_PREFIX: prefix,
    HUQI_LOG_LEVEL: 'warn',
    ...(threads === undefined ? {} : { HUQI_SCORE_THREADS: threads }),
  };
  const stores = await openStores(loadSettings({ env: environment }), { makes: true });
  try {
    const { log, state } = stores;
    const chosen = shippedPatterns().filter(({ file }) => patterns === 'all patterns' || basic.has(file.split('-')[0]!));
    await createPatternStore(state, workingDays).seed(chosen, Date.now());
    return await work({ environment, log, state });
  } finally {
    await endRunning();
    await stores.close();
  }
}

function up(environment: Environment, only: string): Running {
  const data = join(tmpdir(), `huqi-bench-${randomUUID()}`);
  const one = startHuqi(['up', '--no-sample', '--only', only, '--port', '0', '--data', data], environment);
  running.push(one);
  return one;
}

async function endRunning(): Promise<void> {
  await Promise.all(running.splice(0).map((one) => one.end('SIGKILL')));
}

async function findServers(): Promise<{ readonly environment: Environment; stop(): Promise<unknown> }> {
  const { HUQI_KAFKA_BROKERS: brokers, HUQI_REDIS_URL: redisUrl } = process.env;
  if (brokers && redisUrl)
    return { environment: { HUQI_KAFKA_BROKERS: brokers, HUQI_REDIS_URL: redisUrl }, stop: async () => undefined };
  const [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  return {
    environment: { HUQI_KAFKA_BROKERS: kafka.bootstrap.join(','), HUQI_REDIS_URL: redis.url },
    stop: () => Promise.all([kafka.stop(), redis.stop()]),
  };
}

function figure(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function say(what: string, result: string): void {
  const load = loadavg()[0]!.toFixed(1);
  process.stdout.write(`${what}: ${result}; load average ${load}\n`);
}
