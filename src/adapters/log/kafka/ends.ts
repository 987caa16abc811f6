import type { Topic } from '../../../ports/log.js';
import type { Cluster } from './cluster.js';
import { groupBy } from './group-by.js';
import { listOffsets } from './reader.js';

/** How often the ends of partitions that somebody waits for are asked for: soon after something came, seldom after a while. */
const pollMs = { min: 5, max: 50 } as const;
/** Between two tries while brokers cannot be reached. */
const faultPauseMs = 500;

interface Waiter {
  readonly topic: Topic;
  readonly partition: number;
  readonly from: number;
  readonly settle: (arrived: boolean) => void;
}

/**
 * Those who wait for a record at an offset. One loop asks for the ends of all partitions that are waited for, one request a
 * leader and topic; what this process appends itself is known without asking. Nobody waits: nothing runs.
 */
export function createEnds(cluster: Cluster, nameOf: (topic: Topic) => string) {
  const waiting = new Map<string, Set<Waiter>>();
  let timer: NodeJS.Timeout | undefined;
  let isPolling = false;
  let pauseMs: number = pollMs.min;
  let closed = false;

  function wait(topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (closed || timeoutMs <= 0 || signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = { topic, partition, from, settle };
      const limit = setTimeout(() => settle(false), Math.min(timeoutMs, 2 ** 31 - 1));
      const onAbort = () => settle(false);
      function settle(arrived: boolean): void {
        clearTimeout(limit);
        signal?.removeEventListener('abort', onAbort);
        remove(waiter);
        resolve(arrived);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      add(waiter);
    });
  }

  /** The offset after the last record, as this process has just learnt it. */
  function note(topic: Topic, partition: number, next: number): void {
    const waiters = waiting.get(`${topic}/${partition}`);
    if (!waiters) return;
    const arrived = [...waiters].filter(({ from }) => next > from);
    if (arrived.length > 0) pauseMs = pollMs.min;
    for (const waiter of arrived) waiter.settle(true);
  }

  function schedule(afterMs: number): void {
    if (timer || isPolling || closed || waiting.size === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      void poll();
    }, afterMs);
  }

  async function poll(): Promise<void> {
    isPolling = true;
    let nextMs = pauseMs;
    pauseMs = Math.min(pauseMs * 1.2, pollMs.max);
    try {
      await askEnds();
    } catch {
      // Whoever reads learns of it; here it only takes longer.
      nextMs = faultPauseMs;
      await cluster.refresh().catch(() => undefined);
    }
    isPolling = false;
    schedule(nextMs);
  }

  async function askEnds(): Promise<void> {
    const places = [...waiting.values()].flatMap(([one]) => (one ? [one] : []));
    const asked = [...groupBy(places, ({ topic }) => topic)].map(async ([topic, waiters]) => {
      const partitions = waiters.map(({ partition }) => partition);
      const ends = await listOffsets(cluster, 'poll', nameOf(topic), partitions, 'next');
      for (const [partition, next] of ends) note(topic, partition, next);
    });
    const failed = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  function add(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    if (waiters) waiters.add(waiter);
    else waiting.set(key, new Set([waiter]));
    schedule(0);
  }

  function remove(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) waiting.delete(key);
    if (waiting.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }

  function close(): void {
    closed = true;
    const all = [...waiting.values()].flatMap((waiters) => [...waiters]);
    for (const waiter of all) waiter.settle(false);
    clearTimeout(timer);
  }

  return { wait, note, close };
}
