import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isClustered, openStores } from '../../src/app.js';
import type { Delivery } from '../../src/domain/delivery.js';
import type { Hit } from '../../src/domain/hit.js';
import { createPatternStore } from '../../src/pipeline/pattern-store.js';
import type { Log } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { loadSettings } from '../../src/settings.js';
import { startReceiver, type Receiver } from '../../src/simulate/receiver.js';
import { eventsOn, hitsOn, temporaryDirectory, temporaryEmbedded } from '../support/embedded.js';
import { huqi, startHuqi, type Running } from '../support/huqi.js';
import { settledPatterns, workingDays } from '../support/patterns.js';
import { resultOf, startPipeline, type RunResult } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';
import { startKafka, type KafkaCluster } from './support/kafka-broker.js';
import { startRedis, type RedisServer } from './support/redis-server.js';

const lines = makeStream({ transactions: 4_000, seed: 31 });
const directory = temporaryDirectory();
let kafka: KafkaCluster;
let redis: RedisServer;
let running: Running[] = [];
let receiver: Receiver | undefined;

beforeAll(async () => {
  [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.end('SIGKILL')));
  await receiver?.close();
  receiver = undefined;
});
afterAll(async () => {
  await Promise.all([kafka?.stop(), redis?.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

const environment = (prefix: string) => ({
  HUQI_KAFKA_BROKERS: kafka.bootstrap.join(','),
  HUQI_REDIS_URL: redis.url,
  HUQI_KAFKA_TOPIC_PREFIX: prefix,
  HUQI_REDIS_PREFIX: prefix,
  HUQI_KAFKA_SESSION_TIMEOUT_MS: '6000',
  HUQI_DISPATCH_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32',
  // Small batches, so that a kill falls between many of them.
  HUQI_SCORE_BATCH_RECORDS_MAX: '4',
  HUQI_LOG_LEVEL: 'warn',
});

describe('three processes on Kafka and Redis', () => {
  test('find and warn of what one process on embedded parts does, though a scorer and Redis are killed', async () => {
    const expected = await embeddedRun();
    await withStores('three', async (log, state) => {
      await createPatternStore(state, workingDays).seed(settledPatterns(), Date.now());
      const front = await up('three', 'http,incoming,archive', 'front');
      const scorer = await up('three', 'score', 'first');
      await up('three', 'warn,dispatch', 'warner');
      const { bank, centre } = JSON.parse(readFileSync(join(directory, 'front', 'keys.json'), 'utf8')) as Record<string, string>;
      await register(front.url, centre!);

      const half = lines.length / 2;
      await send(front.url, bank!, lines.slice(0, half));
      await expect.poll(() => hitsOn(log).then((hits) => hits.length), { timeout: 60_000 }).toBeGreaterThan(0);
      await scorer.running.end('SIGKILL');
      const second = await up('three', 'score', 'second');
      const sending = send(front.url, bank!, lines.slice(half, half + 1_000));
      await redis.kill();
      await sleep(1_500);
      await redis.restart();
      await sending;
      // The rest comes over the topic that banks write to, each line a record, with one that is broken among them.
      const rest = [...lines.slice(half + 1_000), '{"id":"broken"', ''];
      await log.append(rest.map((line) => ({ topic: 'incoming' as const, partition: 0, value: Buffer.from(line) })));

      await expect.poll(() => differencesOf(log, state, expected), { timeout: 240_000, interval: 2_000 }).toEqual([]);
      for (const { url } of [front, second]) await expect.poll(() => statusOf(`${url}/readyz`), { timeout: 60_000 }).toBe(200);
      expect(await statusOf(`${second.url}/v1/warnings`)).toBe(404);

      const work = async () => {
        const { archiveLag, deliveries } = await summaryOf(front.url);
        return archiveLag + deliveries.pending;
      };
      await expect.poll(work, { timeout: 120_000, interval: 1_000 }).toBe(0);
      // Counts may be two seconds old.
      await sleep(3_000);
      const summary = await summaryOf(front.url);
      expect(summary.transactions.accepted).toBe(lines.length);
      expect(summary.rejected.total).toBe(2);
      expect(summary.warnings.total).toBe(expected.warnings.size);
      // However often it was sent: each warning is told once a level, and the receiver has had each.
      const deliveries = (await eventsOn(log, 'deliveries')).map(({ data }) => data as Delivery);
      const delivered = deliveries.filter(({ channel, outcome }) => channel === 'webhook' && outcome === 'delivered');
      const levelsTold = new Set(delivered.map(({ warningId, level }) => `${warningId}/${level}`));
      expect(new Set(delivered.map(({ deliveryId }) => deliveryId)).size).toBe(levelsTold.size);
      expect(receiver?.counts).toMatchObject({ received: levelsTold.size, invalid: 0 });
      expect(levelsTold.size).toBeGreaterThan(0);
    });
  }, 600_000);

  test('a key that a command makes on the shared state is known to a running process within seconds', async () => {
    const { url } = await up('keys', 'http,archive', 'keys');
    const { stdout } = await huqi(['keys', 'add', '李伟', '--role', 'centre'], environment('keys'));
    const statusWith = async (key: string) =>
      (await fetch(`${url}/v1/recipients`, { headers: { authorization: `Bearer ${key}` } })).status;
    await expect.poll(() => statusWith(stdout.trim()), { timeout: 20_000 }).toBe(200);
    expect(await statusWith(`${stdout.trim()}x`)).toBe(401);
  }, 120_000);

  test('a second archive of its own is refused: rows would be torn apart', async () => {
    await up('torn', 'http,archive', 'torn-1');
    const args = ['up', '--only', 'http,archive', '--port', '0', '--data', join(directory, 'torn-2')];
    const { code, stderr } = await huqi(args, environment('torn'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^huqi: another data directory than .*torn-2 holds the archive of this cluster: .*\n$/);
  }, 120_000);

  test('a process ends with one sentence when its state comes back empty, and does not go on as if nothing had been', async () => {
    const own = await startRedis();
    try {
      const { running: warner } = await up('lost', 'warn', 'lost', { HUQI_REDIS_URL: own.url });
      await own.kill();
      own.wipe();
      await own.restart();
      const { code, stderr } = await warner.ended;
      expect(code).toBe(1);
      // Log lines of what it was doing may come after it.
      const sentences = stderr.split('\n').filter((line) => line.startsWith('huqi: '));
      expect(sentences).toEqual([expect.stringMatching(/^huqi: .*Redis .* it is empty: .* restore /)]);
    } finally {
      await own.stop();
    }
  }, 120_000);

  test('a part that needs a warehouse of its own is refused in one sentence', async () => {
    const refused = startHuqi(
      ['up', '--only', 'http', '--port', '0', '--data', join(directory, 'refused')],
      environment('refused'),
    );
    const { code, stderr } = await refused.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^huqi: --only http needs HUQI_CLICKHOUSE_URL: .*\n$/);
  });
});

async function up(prefix: string, only: string | undefined, data: string, more: Record<string, string> = {}) {
  const args = [
    'up',
    '--no-sample',
    '--port',
    '0',
    '--data',
    join(directory, data),
    ...(only === undefined ? [] : ['--only', only]),
  ];
  const one = startHuqi(args, { ...environment(prefix), ...more });
  running.push(one);
  const [, url] = await one.printed(/runs at (http:\/\/[^\s:]+:\d+)/);
  return { running: one, url: url! };
}

/** The stores that the processes share, opened by this process as well. */
async function withStores(prefix: string, work: (log: Log, state: State) => Promise<void>): Promise<void> {
  const settings = loadSettings({ env: environment(prefix) });
  expect(isClustered(settings)).toBe(true);
  const stores = await openStores(settings);
  try {
    await work(stores.log, stores.state);
  } finally {
    await stores.close();
  }
}

async function embeddedRun(): Promise<RunResult> {
  const parts = temporaryEmbedded();
  try {
    const pipeline = await startPipeline(parts);
    for (let at = 0; at < lines.length; at += 100) await pipeline.intake.accept(body(lines.slice(at, at + 100)));
    await pipeline.drained();
    await pipeline.stop();
    return await resultOf(parts.log, parts.state);
  } finally {
    await parts.remove();
  }
}

/** In what the two runs differ; empty where they are the same. */
async function differencesOf(log: Log, state: State, expected: RunResult): Promise<string[]> {
  const hits = new Set((await hitsOn(log)).map(({ data }) => (data as Hit).id));
  const missing = [...expected.hits.keys()].filter((id) => !hits.has(id));
  if (missing.length > 0) return [`${missing.length} of ${expected.hits.size} hits are missing`];
  const phantom = [...hits].filter((id) => !expected.hits.has(id));
  if (phantom.length > 0) return [`${phantom.length} hits too many`];
  // Throws where a revision has two texts or was not told, which warn may be about to do.
  const found = await resultOf(log, state).catch((error: unknown) => String(error));
  if (typeof found === 'string') return [found];
  const differing = [...expected.warnings].filter(
    ([id, warning]) => JSON.stringify(found.warnings.get(id)) !== JSON.stringify(warning),
  );
  return differing.length > 0 || found.warnings.size !== expected.warnings.size
    ? [`${differing.length} of ${expected.warnings.size} warnings differ, there are ${found.warnings.size}`]
    : [];
}

async function send(url: string, key: string, part: readonly string[]): Promise<void> {
  for (let at = 0; at < part.length; at += 100) {
    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
      body: part.slice(at, at + 100).join('\n'),
    };
    // As a bank does: what was not answered is sent again.
    for (;;) {
      const response = await fetch(`${url}/v1/transactions`, request);
      if (response.status === 200) break;
      await sleep(200);
    }
  }
}

/** A recipient of all warnings. */
async function register(url: string, key: string): Promise<void> {
  const secrets = new Map<string, string>();
  receiver = await startReceiver({ secretFor: (recipient) => secrets.get(recipient) });
  const response = await fetch(`${url}/v1/recipients/centre-1`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'centre', match: '*', name: 'centre', webhook: { url: `${receiver.url}/centre-1` } }),
  });
  const { secret } = (await response.json()) as { secret?: string };
  if (secret !== undefined) secrets.set('centre-1', secret);
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(url)).status;
}

async function summaryOf(url: string) {
  return (await (await fetch(`${url}/v1/status`)).json()) as {
    transactions: { accepted: number };
    rejected: { total: number };
    warnings: { total: number };
    deliveries: { pending: number };
    archiveLag: number;
  };
}
