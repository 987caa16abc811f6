import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createPatternStore } from '../../src/pipeline/pattern-store.js';
import type { Receiver } from '../../src/simulate/receiver.js';
import { temporaryDirectory } from '../support/embedded.js';
import { huqi } from '../support/huqi.js';
import { metricTotal } from '../support/metrics.js';
import { compileOrThrow, settledPatterns, workingDays } from '../support/patterns.js';
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

/**
 * Rolls a platform from one release to the next while payments come in. The release before is the built one in
 * HUQI_RELEASE_BEFORE (a directory with dist, config and node_modules); without it, a copy of this one whose state has another
 * layout, so that neither can use the snapshots of the other.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const directory = temporaryDirectory();
const before = process.env['HUQI_RELEASE_BEFORE'] ?? join(directory, 'release-before');
const mainOf = (release: string) => join(release, 'dist', 'main.js');
const lines = makeStream({ transactions: 10_000, seed: 47 });
let kafka: KafkaCluster;
let redis: RedisServer;
let receiver: Receiver | undefined;
const platform = createPlatform({ directory, servers: () => ({ kafka, redis }) });

beforeAll(async () => {
  if (process.env['HUQI_RELEASE_BEFORE'] === undefined) copyRelease();
  [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
});
afterEach(async () => {
  await platform.end();
  await receiver?.close();
});
afterAll(async () => {
  await Promise.all([kafka?.stop(), redis?.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

describe('an upgrade without stopping', () => {
  test('each process is replaced in its turn while payments come in: nothing is lost, nothing is told twice', async () => {
    const sources = settledPatterns(join(before, 'config', 'patterns'));
    const expected = await embeddedRun(lines, compileOrThrow(sources));
    await platform.withStores('roll', async (log, state) => {
      await createPatternStore(state, workingDays).seed(sources, Date.now());
      const parts = {
        front: 'http,incoming,archive',
        warner: 'warn,dispatch',
        'scorer-1': 'score',
        'scorer-2': 'score',
      } as const;
      type Part = keyof typeof parts;
      const start = (part: Part, release?: string) =>
        platform.up('roll', parts[part], part, { HUQI_SCORE_SNAPSHOT_EVERY_MS: '1000' }, release);
      const [front, warner, first, second] = await Promise.all([
        start('front', mainOf(before)),
        start('warner', mainOf(before)),
        start('scorer-1', mainOf(before)),
        start('scorer-2', mainOf(before)),
      ]);
      const now = { front, warner, 'scorer-1': first, 'scorer-2': second };
      const { bank, centre } = platform.keysOf('front');
      receiver = await register(now.front.url, centre);
      let sent = 0;
      let isRolled = false;
      async function feed(): Promise<void> {
        while (sent < lines.length) {
          // Slowly while processes are replaced, so that each finds work in hand.
          const isSlow = sent >= lines.length / 3 && !isRolled;
          const together = isSlow ? 40 : 500;
          await send(() => now.front.url, bank, lines.slice(sent, sent + together));
          sent += together;
          if (isSlow) await sleep(500);
        }
      }
      const feeding = feed();
      // Both have something to hand over.
      for (const scorer of ['scorer-1', 'scorer-2'] as const)
        await expect.poll(() => metricTotal(now[scorer].url, 'huqi_snapshots_total'), { timeout: 60_000 }).toBeGreaterThan(0);

      const sentWhen: Partial<Record<Part, number>> = {};
      for (const part of ['warner', 'scorer-1', 'scorer-2', 'front'] as const) {
        const { code, stderr } = await now[part].running.end('SIGTERM');
        expect({ part, code, stderr }).toMatchObject({ code: 0 });
        now[part] = await start(part);
        const { url } = now[part];
        await expect.poll(() => statusOf(`${url}/readyz`), { timeout: 90_000, interval: 250 }).toBe(200);
        sentWhen[part] = sent;
      }
      isRolled = true;
      expect(sentWhen['scorer-2']).toBeGreaterThan(sentWhen.warner!);
      expect(sentWhen.front).toBeLessThan(lines.length);
      await feeding;

      await expect.poll(() => differencesOf(log, state, expected), { timeout: 240_000, interval: 2_000 }).toEqual([]);
      const work = async () => {
        const { archiveLag, deliveries } = await summaryOf(now.front.url);
        return archiveLag + deliveries.pending;
      };
      await expect.poll(work, { timeout: 120_000, interval: 1_000 }).toBe(0);
      await expectToldOnce(log, receiver);
      const verified = await huqi(['verify', '--no-archive', '--data', join(directory, 'front')], platform.environment('roll'));
      expect(verified).toMatchObject({ code: 0 });
    });
  }, 600_000);
});

/** This build with another number of its state's layout. */
function copyRelease(): void {
  for (const part of ['dist', 'config', 'package.json']) cpSync(join(root, part), join(before, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(before, 'node_modules'));
  const isLayout = /`(\d+)-\$\{endianness\(\)\}/;
  const files = readdirSync(join(before, 'dist')).filter((name) => name.endsWith('.js'));
  const texts = files.map((name) => ({
    file: join(before, 'dist', name),
    text: readFileSync(join(before, 'dist', name), 'utf8'),
  }));
  const { file, text } = texts.find((one) => isLayout.test(one.text))!;
  const changed = text.replace(isLayout, (_, format: string) => `\`${Number(format) - 1}-\${endianness()}`);
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
}
