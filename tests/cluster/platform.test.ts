import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createPatternStore } from '../../src/pipeline/pattern-store.js';
import type { Receiver } from '../../src/simulate/receiver.js';
import { hitsOn, temporaryDirectory } from '../support/embedded.js';
import { huqi, startHuqi } from '../support/huqi.js';
import { settledPatterns, workingDays } from '../support/patterns.js';
import { makeStream } from '../support/stream.js';
import { startKafka, type KafkaCluster } from './support/kafka-broker.js';
import {
  createPlatform,
  differencesOf,
  embeddedRun,
  expectToldOnce,
  register,
  send,
  statusOf,
  summaryOf,
} from './support/platform.js';
import { startRedis, type RedisServer } from './support/redis-server.js';

const lines = makeStream({ transactions: 4_000, seed: 31 });
const directory = temporaryDirectory();
let kafka: KafkaCluster;
let redis: RedisServer;
let receiver: Receiver | undefined;

beforeAll(async () => {
  [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
});
afterEach(async () => {
  await platform.end();
  await receiver?.close();
  receiver = undefined;
});
afterAll(async () => {
  await Promise.all([kafka?.stop(), redis?.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

const platform = createPlatform({ directory, servers: () => ({ kafka, redis }) });
const { environment, up, withStores } = platform;

describe('three processes on Kafka and Redis', () => {
  test('find and warn of what one process on embedded parts does, though a scorer and Redis are killed', async () => {
    const expected = await embeddedRun(lines);
    await withStores('three', async (log, state) => {
      await createPatternStore(state, workingDays).seed(settledPatterns(), Date.now());
      // Each packs in its own way.
      const front = await up('three', 'http,incoming,archive', 'front', { HUQI_KAFKA_COMPRESSION: 'zstd' });
      const scorer = await up('three', 'score', 'first');
      await up('three', 'warn,dispatch', 'warner');
      const { bank, centre } = platform.keysOf('front');
      receiver = await register(front.url, centre);

      const half = lines.length / 2;
      await send(front.url, bank, lines.slice(0, half));
      await expect.poll(() => hitsOn(log).then((hits) => hits.length), { timeout: 60_000 }).toBeGreaterThan(0);
      await scorer.running.end('SIGKILL');
      const second = await up('three', 'score', 'second', { HUQI_KAFKA_COMPRESSION: 'lz4' });
      const sending = send(front.url, bank, lines.slice(half, half + 1_000));
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
      await expectToldOnce(log, receiver);
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
