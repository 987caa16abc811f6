import type { Topic } from '../../ports/log.js';

interface Waiter {
  readonly topic: Topic;
  readonly partition: number;
  readonly from: number;
  readonly settle: (arrived: boolean) => void;
}

export interface WaitingRoom {
  /** True once `note` tells of a record at `from` or later, false after `timeoutMs`, or where the signal or `close` came first. */
  readonly wait: (topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal) => Promise<boolean>;
  /** `nextOf`, asked only where somebody waits, says the offset after the last record of the partition. Whether it was waited for. */
  readonly note: (topic: Topic, partition: number, nextOf: () => number) => boolean;
  readonly isEmpty: () => boolean;
  /** The partitions that somebody waits for. */
  readonly places: () => { readonly topic: Topic; readonly partition: number }[];
  readonly close: () => void;
}

/** Those who wait for a record at an offset. `onWait` is called with each who comes, `onIdle` when the last has gone. */
export function createWaitingRoom(onWait: () => void, onIdle: () => void): WaitingRoom {
  const waiting = new Map<string, Set<Waiter>>();
  let closed = false;

  function add(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    if (waiters) waiters.add(waiter);
    else waiting.set(key, new Set([waiter]));
    onWait();
  }

  function remove(waiter: Waiter): void {
    const key = `${waiter.topic}/${waiter.partition}`;
    const waiters = waiting.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) waiting.delete(key);
    if (waiting.size === 0) onIdle();
  }

  return {
    wait(topic, partition, from, timeoutMs, signal) {
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
    },

    note(topic, partition, nextOf) {
      const waiters = waiting.get(`${topic}/${partition}`);
      if (!waiters) return false;
      const next = nextOf();
      const arrived = [...waiters].filter(({ from }) => next > from);
      for (const waiter of arrived) waiter.settle(true);
      return arrived.length > 0;
    },

    isEmpty: () => waiting.size === 0,

    places: () => [...waiting.values()].flatMap(([one]) => (one ? [one] : [])),

    close() {
      closed = true;
      const all = [...waiting.values()].flatMap((waiters) => [...waiters]);
      for (const waiter of all) waiter.settle(false);
    },
  };
}
