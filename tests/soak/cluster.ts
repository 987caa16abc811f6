import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStores } from '../../src/app.js';
import { createPatternStore } from '../../src/pipeline/pattern-store.js';
import { loadSettings, type Settings } from '../../src/settings.js';
import { startFaultProxy, type FaultProxy } from '../cluster/support/fault-proxy.js';
import { startKafka, type KafkaCluster } from '../cluster/support/kafka-broker.js';
import { freePort, startRedis, type RedisServer } from '../cluster/support/redis-server.js';
import type { Environment } from '../support/huqi.js';
import { settledPatterns, workingDays } from '../support/patterns.js';
import { supervise, type Supervised } from './processes.js';

/** A small province: three brokers, a Redis, a ClickHouse, and HuQi's parts each in a process of its own. */
export interface SoakCluster {
  readonly kafka: KafkaCluster;
  readonly redis: RedisServer;
  /** Between HuQi and the servers; the auditor goes past them. */
  readonly redisProxy: FaultProxy;
  readonly kafkaProxies: readonly FaultProxy[];
  /** By name: `http`, `score-1` … */
  readonly parts: ReadonlyMap<string, Supervised>;
  /** Of HuQi's interface. */
  readonly url: string;
  readonly keys: { readonly bank: string; readonly centre: string };
  /** Settings of one that is not disturbed, with the same stores. */
  readonly settings: Settings;
  readonly environment: Environment;
  stop(): Promise<void>;
}

const front = fileURLToPath(new URL('../support/clickhouse-front-main.ts', import.meta.url));
const frontUser = 'soak';
const frontPassword = 'only-for-tests';

const roles: Readonly<Record<string, string>> = {
  http: 'http,incoming',
  'score-1': 'score',
  'score-2': 'score',
  warn: 'warn',
  dispatch: 'dispatch',
  archive: 'archive',
};

/** Everything it has started ends with `stop`, and with this process at the latest. Throws where a part does not start. */
export async function startSoakCluster(onProgress: (text: string) => void): Promise<SoakCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'huqi-soak-'));
  const closers: (() => Promise<unknown> | void)[] = [() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 })];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    onProgress('starting Kafka (three brokers), Redis and the ClickHouse engine');
    // The ports to listen on come first: a broker names its proxy to its clients.
    const kafkaProxies = await Promise.all([1, 2, 3].map(() => startFaultProxy({ target: 1 })));
    closers.push(() => Promise.all(kafkaProxies.map((proxy) => proxy.close())));
    const kafka = await startKafka({ brokers: 3, frontPorts: kafkaProxies.map(({ port }) => port) });
    closers.push(() => kafka.stop());
    kafkaProxies.forEach((proxy, i) => proxy.retarget(kafka.frontTargets[i]!));
    const redis = await startRedis();
    closers.push(() => redis.stop());
    const redisProxy = await startFaultProxy({ target: redis.port });
    closers.push(() => redisProxy.close());
    const clickhouse = await startFront(join(directory, 'clickhouse'));
    closers.push(() => clickhouse.stop());

    const common: Environment = {
      HUQI_CLICKHOUSE_URL: clickhouse.url,
      HUQI_CLICKHOUSE_USERNAME: frontUser,
      HUQI_CLICKHOUSE_PASSWORD: frontPassword,
      HUQI_KAFKA_SESSION_TIMEOUT_MS: '6000',
      HUQI_DISPATCH_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32',
      // The simulated days lie at a fixed date, whatever today is.
      HUQI_WAREHOUSE_TTL_DAYS_TRANSACTIONS: '0',
      HUQI_LOG_LEVEL: 'warn',
    };
    const quiet: Environment = {
      ...common,
      HUQI_KAFKA_BROKERS: kafka.bootstrap.join(','),
      HUQI_REDIS_URL: redis.url,
      HUQI_DATA_DIR: join(directory, 'http'),
    };
    const disturbed: Environment = {
      ...common,
      HUQI_KAFKA_BROKERS: kafkaProxies.map(({ port }) => `127.0.0.1:${port}`).join(','),
      HUQI_REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
    };
    const settings = loadSettings({ env: quiet });
    await seedPatterns(settings);

    onProgress(`starting HuQi: ${Object.keys(roles).join(', ')}`);
    const parts = new Map<string, Supervised>();
    closers.push(() => Promise.all([...parts.values()].map((part) => part.stop())));
    const port = await freePort();
    const start = async (name: string): Promise<void> => {
      const args = ['up', '--no-sample', '--only', roles[name]!, '--data', join(directory, name)];
      parts.set(name, await supervise(name, [...args, '--port', name === 'http' ? String(port) : '0'], disturbed));
    };
    // It makes topics and keys.
    await start('http');
    const others = Object.keys(roles).filter((name) => name !== 'http');
    await Promise.all(others.map((name) => start(name)));
    const keys = JSON.parse(readFileSync(join(directory, 'http', 'keys.json'), 'utf8')) as SoakCluster['keys'];
    const url = `http://127.0.0.1:${port}`;
    return { kafka, redis, redisProxy, kafkaProxies, parts, url, keys, settings, environment: quiet, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Patterns whose hits one partition finds by itself, so that the run can be held against a quiet one. */
async function seedPatterns(settings: Settings): Promise<void> {
  const stores = await openStores(settings, { makes: true });
  try {
    await createPatternStore(stores.state, workingDays).seed(settledPatterns(), Date.now());
  } finally {
    await stores.close();
  }
}

async function startFront(directory: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const args = ['--import', 'tsx', front, directory, '0', frontUser, frontPassword];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (): void => void child.kill('SIGKILL');
  process.on('exit', end);
  const url = await firstLine(child);
  return {
    url,
    async stop() {
      process.off('exit', end);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`the ClickHouse engine ended with ${code} before it listened`);
  });
  died.catch(() => undefined);
  const [line] = (await Promise.race([once(child.stdout!, 'data'), died])) as [Buffer];
  return line.toString().trim();
}
