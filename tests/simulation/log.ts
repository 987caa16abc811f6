import {
  OffsetOutOfRange,
  type Log,
  type LogBatch,
  type OutgoingRecord,
  type ReadLimit,
  type Topic,
} from '../../src/ports/log.js';
import type { Groups } from './groups.js';
import type { Network } from './network.js';
import type { Incarnation, World } from './world.js';

/** The broker: what every process sees of the log. */
export interface LogServer {
  partitions(topic: Topic): number;
  /** Records that consumers may see; later ones become visible a moment after they were written. */
  visible(topic: Topic, partition: number): number;
  records(topic: Topic, partition: number): readonly Written[];
  write(topic: Topic, partition: number, values: readonly Uint8Array[], by: Incarnation): void;
  /** Calls back once there is a record at `from`, on behalf of `owner`. */
  watch(topic: Topic, partition: number, from: number, run: () => void): () => void;
  /** Whether somebody waits for the end of this partition. */
  isWatchedAtEnd(topic: Topic, partition: number): boolean;
}

export interface Written {
  readonly value: Uint8Array;
  readonly by: Incarnation;
  readonly atMs: number;
}

interface Stored {
  readonly written: Written[];
  visible: number;
  readonly watchers: Set<{ readonly from: number; readonly run: () => void }>;
}

export function createLogServer(world: World, partitions: Record<Topic, number>): LogServer {
  const stored = new Map<string, Stored>();

  function of(topic: Topic, partition: number): Stored {
    const key = `${topic}/${partition}`;
    let found = stored.get(key);
    if (!found) stored.set(key, (found = { written: [], visible: 0, watchers: new Set() }));
    return found;
  }

  return {
    partitions: (topic) => partitions[topic],
    visible: (topic, partition) => of(topic, partition).visible,
    records: (topic, partition) => of(topic, partition).written,
    write(topic, partition, values, by) {
      const store = of(topic, partition);
      for (const value of values) store.written.push({ value: new Uint8Array(value), by, atMs: world.nowMs() });
      const end = store.written.length;
      world.schedule(
        null,
        world.chance(0.8) ? 0 : world.latencyMs(),
        () => {
          store.visible = Math.max(store.visible, end);
          for (const watcher of store.watchers) {
            if (watcher.from < store.visible) watcher.run();
          }
        },
        true,
      );
    },
    watch(topic, partition, from, run) {
      const watcher = { from, run };
      const { watchers } = of(topic, partition);
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    isWatchedAtEnd(topic, partition) {
      const { watchers, written } = of(topic, partition);
      return [...watchers].some(({ from }) => from === written.length);
    },
  };
}

/** The log as one process has it. */
export function createLogClient(world: World, server: LogServer, network: Network, groups: Groups, owner: Incarnation): Log {
  function ask<T>(what: string, answer: () => T): Promise<T> {
    return network.call(owner, { part: 'log', kind: 'read', what, steps: [], answer });
  }

  const log: Log = {
    partitions: (topic) => server.partitions(topic),

    async append(records) {
      const parts = byPartition(records);
      await network.call(owner, {
        part: 'log',
        kind: 'append',
        what: `append ${parts.map(({ topic, partition, values }) => `${topic}/${partition}*${values.length}`).join(' ')}`,
        steps: parts.map(({ topic, partition, values }) => ({
          all: () => server.write(topic, partition, values, owner),
          half: () => server.write(topic, partition, values.slice(0, Math.ceil(values.length / 2)), owner),
        })),
        answer: () => undefined,
      });
    },

    read: (topic, partition, from, limit) =>
      ask(`read ${topic}/${partition}@${from}`, () => batchFrom(server, topic, partition, from, limit)),

    bounds: (topic, partition) =>
      ask(`bounds ${topic}/${partition}`, () => ({ first: 0, next: server.visible(topic, partition) })),

    join: (group, topic, open) => groups.join(owner, log, group, topic, open),

    waitFor(topic, partition, from, timeoutMs, signal) {
      if (signal?.aborted || timeoutMs <= 0) return Promise.resolve(false);
      if (server.visible(topic, partition) > from) return Promise.resolve(true);
      return new Promise((resolve) => {
        const stopWatching = server.watch(topic, partition, from, () => {
          stopWatching();
          world.schedule(owner, world.latencyMs(), () => settle(true), true);
        });
        const timer = setTimeout(() => settle(false), timeoutMs);
        const stopListening = signal && world.onAbort(signal, () => settle(false));
        function settle(arrived: boolean): void {
          stopWatching();
          clearTimeout(timer);
          stopListening?.();
          resolve(arrived);
        }
      });
    },

    trim: () => Promise.reject(new Error('nothing is trimmed here')),
    close: () => Promise.resolve(),
  };
  return log;
}

function batchFrom(server: LogServer, topic: Topic, partition: number, from: number, limit: ReadLimit): LogBatch {
  const next = server.visible(topic, partition);
  if (from < 0) throw new OffsetOutOfRange(topic, partition, from, 0);
  if (from > next) throw new RangeError(`${topic}/${partition}: offset ${from} lies beyond the end ${next}`);
  const written = server.records(topic, partition);
  const records = [];
  let bytes = 0;
  for (let offset = from; offset < next && records.length < limit.recordsMax; offset++) {
    // A copy each time, as from a socket: whoever changes what it was given changes its own.
    const value = written[offset]!.value.slice();
    bytes += value.length;
    if (records.length > 0 && bytes > limit.bytesMax) break;
    records.push({ offset, value });
  }
  return { records, next: from + records.length };
}

export function byPartition(records: readonly OutgoingRecord[]): { topic: Topic; partition: number; values: Uint8Array[] }[] {
  const parts = new Map<string, { topic: Topic; partition: number; values: Uint8Array[] }>();
  for (const { topic, partition, value } of records) {
    const key = `${topic}/${partition}`;
    const part = parts.get(key) ?? { topic, partition, values: [] };
    part.values.push(value);
    parts.set(key, part);
  }
  return [...parts.values()];
}
