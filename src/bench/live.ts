import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { type Platform, startPlatform } from '../app.js';
import { loadSettings } from '../settings.js';
import { percentile } from './measure.js';

/** The whole platform in this process on embedded parts, loaded over HTTP by another thread as banks would. */

export interface ThroughputFigures {
  /** Of a process that has just started, and of the same one, idle in between, with as much again. */
  readonly first: Throughput;
  readonly warm: Throughput;
}

export interface Throughput {
  /** First request to last hit stored in the warehouse. */
  readonly transactionsPerSecond: number;
  /** First request to last answer. */
  readonly acceptedPerSecond: number;
  /** First request until the archive held every transaction as well. */
  readonly archivedPerSecond: number;
}

export interface LatencyFigures {
  readonly rate: number;
  /** Of a process that has run for `warmSeconds`, and of those first seconds. */
  readonly warm: Latency;
  readonly first: Latency;
}

/** From sending the request that held the transaction to the warning on the live feed, milliseconds. */
export interface Latency {
  readonly warnings: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Place {
  readonly paths: { readonly config: string; readonly console: string };
  readonly version: string;
  /** `score.threads`; as it ships where left out. */
  readonly threads?: number | 'auto';
}

export async function benchThroughput(
  place: Place,
  options: { accounts: number; transactions: number },
): Promise<ThroughputFigures> {
  return withPlatform(place, async (platform, key) => {
    const load = startLoad({ kind: 'throughput', url: platform.url, key, ...options });
    await load.ready;
    const first = await throughputOf(platform, load, options.transactions);
    const warm = await throughputOf(platform, load, options.transactions);
    await load.stop();
    const { transactions } = await platform.status.fresh();
    // Past payments of the two days may share an id, and one of them is then refused.
    const missing = 2 * options.transactions - transactions.accepted;
    if (missing > options.transactions / 1_000) throw new Error(`${missing} transactions were not accepted`);
    return { first, warm };
  });
}

async function throughputOf(platform: Platform, load: Load, transactions: number): Promise<Throughput> {
  const startedMs = performance.now();
  const { acceptedMs } = await load.run();
  await untilIdle(platform);
  await storedHits(platform);
  const storedMs = performance.now() - startedMs;
  await platform.pipeline.drained();
  const archivedMs = performance.now() - startedMs;
  const perSecond = (ms: number): number => (transactions / ms) * 1000;
  return {
    transactionsPerSecond: perSecond(storedMs),
    acceptedPerSecond: perSecond(acceptedMs),
    archivedPerSecond: perSecond(archivedMs),
  };
}

export async function benchLatency(
  place: Place,
  options: { accounts: number; transactions: number; rate: number },
): Promise<LatencyFigures> {
  return withPlatform(place, async (platform, key) => {
    const load = startLoad({ kind: 'latency', url: platform.url, key, ...options });
    await load.ready;
    const { latenciesMs, firstLatenciesMs } = await load.run();
    await load.stop();
    return { rate: options.rate, warm: latencyOf(latenciesMs), first: latencyOf(firstLatenciesMs) };
  });
}

function latencyOf(latenciesMs: readonly number[]): Latency {
  return { warnings: latenciesMs.length, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) };
}

async function withPlatform<T>(
  { paths, version, threads }: Place,
  work: (platform: Platform, key: string) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'huqi-bench-'));
  try {
    const settings = loadSettings({
      env: {},
      overrides: {
        dataDir,
        http: { port: 0 },
        telemetry: { level: 'silent' },
        ...(threads === undefined ? {} : { score: { threads } }),
      },
    });
    const platform = await startPlatform({ settings, version, paths, clock: { now: () => Date.now() } });
    try {
      return await work(platform, platform.firstKeys?.bank ?? '');
    } finally {
      await platform.close();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function untilIdle({ pipeline }: Platform): Promise<void> {
  while (((await pipeline.score?.lag()) ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Waits until every hit that is on the log is in the warehouse. */
async function storedHits({ pipeline }: Platform): Promise<void> {
  await pipeline.archive?.drained(undefined, ['hits']);
}

const resultSchema = z.object({
  acceptedMs: z.number(),
  latenciesMs: z.array(z.number()),
  firstLatenciesMs: z.array(z.number()),
});

interface Load {
  readonly ready: Promise<void>;
  run(): Promise<z.infer<typeof resultSchema>>;
  stop(): Promise<void>;
}

function startLoad(options: object): Load {
  const worker = new Worker(new URL('load.js', import.meta.url), { workerData: options });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  failed.catch(() => undefined);
  const message = () => new Promise<unknown>((resolve) => worker.once('message', resolve));
  const ready = Promise.race([message(), failed]).then(() => undefined);
  return {
    ready,
    async run() {
      const answer = message();
      worker.postMessage('go');
      return resultSchema.parse(await Promise.race([answer, failed]));
    },
    async stop() {
      await worker.terminate();
    },
  };
}
