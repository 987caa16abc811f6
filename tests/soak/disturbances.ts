import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, type Random } from '../../src/simulate/random.js';
import type { FaultProxy } from '../cluster/support/fault-proxy.js';
import type { Broker } from '../cluster/support/kafka-broker.js';
import type { Bank } from './bank.js';
import type { SoakCluster } from './cluster.js';
import type { RecoveryWatch, Stage } from './recovery.js';

export interface Disturbances {
  /** By component. */
  readonly kills: ReadonlyMap<string, number>;
  /** By kind and where, such as `stall redis`. */
  readonly faults: ReadonlyMap<string, number>;
  /** Chooses again and again until it is stopped, then waits until everything runs and every line is whole. */
  run(stop: AbortSignal): Promise<void>;
}

export interface DisturbancesOptions {
  readonly cluster: SoakCluster;
  readonly bank: Bank;
  readonly watch: RecoveryWatch;
  readonly seed: number;
  /** Mean time between two of them. */
  readonly everyMs: number;
  readonly onProgress: (text: string) => void;
}

/** How often each is chosen. */
const weights = {
  score: 6,
  warn: 3,
  dispatch: 3,
  archive: 2,
  http: 3,
  broker: 3,
  redis: 3,
  'redis line': 5,
  'kafka line': 5,
} as const;
type Kind = keyof typeof weights;
const deck = (Object.keys(weights) as Kind[]).flatMap((kind) => Array.from({ length: weights[kind] }, () => kind));

const lineFaults = ['latency', 'reset', 'stall', 'cut replies', 'swallow replies', 'refuse'] as const;

/** Kills and network faults, chosen by the seed; several may overlap, but each component is disturbed once at a time. */
export function createDisturbances(options: DisturbancesOptions): Disturbances {
  const { cluster, bank, watch, everyMs, onProgress } = options;
  const random = createRandom(options.seed);
  const kills = new Map<string, number>();
  const faults = new Map<string, number>();
  const busy = new Map<string, Promise<void>>();

  /** Does nothing where `name` is disturbed already. */
  function once(name: string, work: () => Promise<void>): void {
    if (busy.has(name)) return;
    const done = work().finally(() => busy.delete(name));
    done.catch((error: unknown) => onProgress(`${name}: ${String(error).split('\n')[0]}`));
    busy.set(name, done);
  }

  function kill(name: string, stage: Stage | null, work: (pauseMs: number) => Promise<void>): void {
    const pauseMs = random.between(0, 4_000);
    once(name, () => {
      count(kills, name.replace(/-\d$/, ''));
      onProgress(`kill ${name}, back after ${pauseMs} ms`);
      const killed = Date.now();
      if (stage) watch.note(name, stage);
      else watch.noteUntil(name, () => bank.answeredAtMs > killed);
      return work(pauseMs);
    });
  }

  function part(name: string, stage: Stage | null): void {
    kill(name, stage, (pauseMs) => cluster.parts.get(name)!.kill(pauseMs));
  }

  function disturb(): void {
    const kind = random.pick(deck);
    switch (kind) {
      case 'score':
        return part(random.chance(0.5) ? 'score-1' : 'score-2', 'score');
      case 'warn':
      case 'dispatch':
      case 'archive':
        return part(kind, kind);
      case 'http':
        return part('http', null);
      case 'broker': {
        const broker = random.pick(cluster.kafka.brokers);
        // One name for all three: two of them must stay.
        return kill('broker', 'score', async (pauseMs) => {
          await broker.kill();
          await sleep(pauseMs);
          await startPatiently(broker);
          await sleep(brokerRestMs);
        });
      }
      case 'redis':
        return kill('redis', 'score', async (pauseMs) => {
          await cluster.redis.kill();
          await sleep(pauseMs);
          await cluster.redis.restart();
        });
      case 'redis line':
        return line('redis', [cluster.redisProxy]);
      case 'kafka line':
        return line('kafka', random.chance(0.5) ? cluster.kafkaProxies : [random.pick(cluster.kafkaProxies)]);
    }
  }

  function line(where: string, proxies: readonly FaultProxy[]): void {
    const kind = random.pick(lineFaults);
    const ms = random.between(200, 6_000);
    const seed = random.below(2 ** 31);
    once(`${where} line`, async () => {
      count(faults, `${kind} ${where}`);
      onProgress(`${kind} between HuQi and ${where}${proxies.length > 1 ? ' (all brokers)' : ''} for ${ms} ms`);
      await Promise.all(proxies.map((proxy) => breakLine(proxy, kind, ms, createRandom(seed))));
    });
  }

  return {
    kills,
    faults,
    async run(stop) {
      while (!stop.aborted) {
        await sleep(random.between(everyMs / 2, everyMs * 1.5), undefined, { signal: stop }).catch(() => undefined);
        if (!stop.aborted) disturb();
      }
      await Promise.all(busy.values());
    },
  };
}

/** A broker that has just come back must catch up before another one may go: records lie on two of three. */
const brokerRestMs = 8_000;

const brokerStarts = 5;

/** A busy machine may need longer for a start than is waited for: it is ended and started again. */
async function startPatiently(broker: Broker): Promise<void> {
  for (let start = 1; ; start++) {
    try {
      return await broker.start();
    } catch (error) {
      if (start === brokerStarts) throw error;
      await broker.kill();
    }
  }
}

/** A stream of bytes is never torn and then continued, which no network does: after a gap the connections are reset. */
async function breakLine(proxy: FaultProxy, kind: (typeof lineFaults)[number], ms: number, random: Random): Promise<void> {
  switch (kind) {
    case 'latency':
      proxy.delay(random.between(20, 300));
      await sleep(ms);
      proxy.reset();
      break;
    case 'reset':
      proxy.reset();
      break;
    case 'stall':
      proxy.stall();
      await sleep(ms);
      break;
    case 'cut replies':
      void proxy.cutReplies('', random.between(1, 20));
      await sleep(ms);
      proxy.reset();
      break;
    case 'swallow replies':
      proxy.swallowReplies();
      await sleep(ms);
      proxy.reset();
      break;
    case 'refuse':
      proxy.refuse();
      await sleep(ms);
      break;
  }
  proxy.resume();
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
