import type { Topic } from '../../ports/log.js';

/** How often partitions that somebody waits for are looked at, for records that another process appended. */
const pollIntervalMs = 250;

interface Waiter {
  readonly topic: Topic;
  readonly partition: number;
  readonly from: number;
  readonly settle: (arrived: boolean) => void;
}

/** Those who wait for a record at an offset. `nextOf` reads the offset after the last record, `refresh` makes it current. */
export function createRecordWaiters(nextOf: (topic: Topic, partition: number) => number, refresh: () => void) {
  const waiting = new Map<string, Set<Waiter>>();
  let pollTimer: NodeJS.Timeout | undefined;
  let closed = false;

  function wait(topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    refresh();
    if (nextOf(topic, partition) > from) return Promise.resolve(true);
    if (closed || timeoutMs <= 0 || signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = { topic, partition, from, settle };
      const timer = setTimeout(() => settle(false), Math.min(timeoutMs, 2 ** 31 - 1));
      const onAbort = () => settle(false);
      function settle(arrived: boolean): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        remove(waiter);
        resolve(arrived);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      add(waiter);
    });
  }

  /** To be called after an append became visible. */
  function wake(topic: Topic, partition: number): void {
    const waiters = waiting.get(`${topic}/${partition}`);
    if (!waiters) return;
    const next = nextOf(topic, partition);
    const arrived = [...waiters].filter((waiter) => next > waiter.from);
    for (const waiter of arrived) waiter.settle(true);
  }

  function poll(): void {
    refresh();
    const partitions = [...waiting.values()].flatMap(([one]) => (one ? [one] : []));
    for (const { topic, partition } of partitions) wake(topic, partition);
  }

  function add(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    if (waiters) waiters.add(waiter);
    else waiting.set(key, new Set([waiter]));
    pollTimer ??= setInterval(poll, pollIntervalMs);
  }

  function remove(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) waiting.delete(key);
    if (waiting.size > 0) return;
    clearInterval(pollTimer);
    pollTimer = undefined;
  }

  function close(): void {
    closed = true;
    const all = [...waiting.values()].flatMap((waiters) => [...waiters]);
    for (const waiter of all) waiter.settle(false);
  }

  return { wait, wake, close };
}
