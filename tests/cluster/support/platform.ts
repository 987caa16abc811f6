import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { isClustered, openStores } from '../../../src/app.js';
import type { Delivery } from '../../../src/domain/delivery.js';
import type { Hit } from '../../../src/domain/hit.js';
import type { Log } from '../../../src/ports/log.js';
import type { State } from '../../../src/ports/state.js';
import type { PatternSet } from '../../../src/scoring/pattern-set.js';
import { loadSettings } from '../../../src/settings.js';
import { startReceiver, type Receiver } from '../../../src/simulate/receiver.js';
import { eventsOn, hitsOn, temporaryEmbedded } from '../../support/embedded.js';
import { type Environment, type Running, startHuqi } from '../../support/huqi.js';
import { patternStoreOf, resultOf, settledPatternSet, startPipeline, type RunResult } from '../../support/pipeline.js';
import { body } from '../../support/stream.js';
import type { KafkaCluster } from './kafka-broker.js';
import type { RedisServer } from './redis-server.js';

/** Processes of HuQi beside one another on one Kafka and one Redis. */
export interface Platform {
  readonly environment: (prefix: string) => Environment;
  /** Starts a process; `release` is the main file of another build. */
  readonly up: (
    prefix: string,
    only: string | undefined,
    data: string,
    more?: Environment,
    release?: string,
  ) => Promise<{ readonly running: Running; readonly url: string }>;
  /** The stores that the processes share, opened by this process as well. */
  readonly withStores: (prefix: string, work: (log: Log, state: State) => Promise<void>) => Promise<void>;
  /** What a process that ran here wrote into its data directory. */
  readonly keysOf: (data: string) => { readonly bank: string; readonly centre: string };
  /** Kills what still runs. */
  readonly end: () => Promise<void>;
}

export function createPlatform({
  directory,
  servers,
}: {
  readonly directory: string;
  readonly servers: () => { readonly kafka: KafkaCluster; readonly redis: RedisServer };
}): Platform {
  const processes: Running[] = [];

  function environment(prefix: string): Environment {
    const { kafka, redis } = servers();
    return {
      HUQI_KAFKA_BROKERS: kafka.bootstrap.join(','),
      HUQI_REDIS_URL: redis.url,
      HUQI_KAFKA_TOPIC_PREFIX: prefix,
      HUQI_REDIS_PREFIX: prefix,
      HUQI_KAFKA_SESSION_TIMEOUT_MS: '6000',
      HUQI_DISPATCH_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32',
      // Small batches, so that a kill falls between many of them.
      HUQI_SCORE_BATCH_RECORDS_MAX: '4',
      HUQI_LOG_LEVEL: 'warn',
    };
  }

  return {
    environment,
    async up(prefix, only, data, more = {}, release) {
      const args = ['up', '--no-sample', '--port', '0', '--data', join(directory, data)];
      const one = startHuqi(
        [...args, ...(only === undefined ? [] : ['--only', only])],
        { ...environment(prefix), ...more },
        release,
      );
      processes.push(one);
      const [, url] = await one.printed(/runs at (http:\/\/[^\s:]+:\d+)/);
      return { running: one, url: url! };
    },
    async withStores(prefix, work) {
      const settings = loadSettings({ env: environment(prefix) });
      expect(isClustered(settings)).toBe(true);
      const stores = await openStores(settings);
      try {
        await work(stores.log, stores.state);
      } finally {
        await stores.close();
      }
    },
    keysOf: (data) => JSON.parse(readFileSync(join(directory, data, 'keys.json'), 'utf8')) as { bank: string; centre: string },
    async end() {
      await Promise.all(processes.splice(0).map((one) => one.end('SIGKILL')));
    },
  };
}

/** What one process on embedded parts makes of the lines. */
export async function embeddedRun(lines: readonly string[], set: PatternSet = settledPatternSet()): Promise<RunResult> {
  const parts = temporaryEmbedded();
  try {
    const pipeline = await startPipeline({ ...parts, patternStore: patternStoreOf(set) });
    for (let at = 0; at < lines.length; at += 100) await pipeline.intake.accept(body(lines.slice(at, at + 100)));
    await pipeline.drained();
    await pipeline.stop();
    return await resultOf(parts.log, parts.state);
  } finally {
    await parts.remove();
  }
}

/** In what the two runs differ; empty where they are the same. */
export async function differencesOf(log: Log, state: State, expected: RunResult): Promise<string[]> {
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

/** Sends lines as a bank does: what was not answered is sent again, to where the platform is by then. */
export async function send(url: string | (() => string), key: string, lines: readonly string[]): Promise<void> {
  for (let at = 0; at < lines.length; at += 100) {
    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
      body: lines.slice(at, at + 100).join('\n'),
    };
    for (;;) {
      const response = await fetch(`${typeof url === 'string' ? url : url()}/v1/transactions`, request).catch(() => undefined);
      if (response?.status === 200) break;
      await sleep(200);
    }
  }
}

/** However often warnings were sent: each is told once a level, and the receiver has had each. */
export async function expectToldOnce(log: Log, receiver: Receiver): Promise<void> {
  const deliveries = (await eventsOn(log, 'deliveries')).map(({ data }) => data as Delivery);
  const delivered = deliveries.filter(({ channel, outcome }) => channel === 'webhook' && outcome === 'delivered');
  const levelsTold = new Set(delivered.map(({ warningId, level }) => `${warningId}/${level}`));
  expect(new Set(delivered.map(({ deliveryId }) => deliveryId)).size).toBe(levelsTold.size);
  expect(receiver.counts).toMatchObject({ received: levelsTold.size, invalid: 0 });
  expect(levelsTold.size).toBeGreaterThan(0);
}

/** A recipient of all warnings, and what it has had. */
export async function register(url: string, key: string): Promise<Receiver> {
  const secrets = new Map<string, string>();
  const receiver = await startReceiver({ secretFor: (recipient) => secrets.get(recipient) });
  const response = await fetch(`${url}/v1/recipients/centre-1`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'centre', match: '*', name: 'centre', webhook: { url: `${receiver.url}/centre-1` } }),
  });
  const { secret } = (await response.json()) as { secret?: string };
  if (secret !== undefined) secrets.set('centre-1', secret);
  return receiver;
}

export async function statusOf(url: string): Promise<number> {
  return (await fetch(url)).status;
}

export async function summaryOf(url: string) {
  return (await (await fetch(`${url}/v1/status`)).json()) as {
    transactions: { accepted: number };
    rejected: { total: number };
    warnings: { total: number };
    deliveries: { pending: number };
    archiveLag: number;
  };
}
