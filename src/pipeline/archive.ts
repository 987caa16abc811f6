import { setTimeout as sleep } from 'node:timers/promises';
import { bulkhead } from 'cockatiel';
import { archivedTopics as topics, type ArchivedTopic, type LogBatch, type Membership } from '../ports/log.js';
import { createBrake } from './archive-brake.js';
import { archiveLag } from './archive-positions.js';
import type { Tables } from './archive-store.js';
import { createFailure } from './failure.js';
import { openArchivePartition, type ArchiveOptions, type ArchivePartition } from './archive-partition.js';

/**
 * Writes every topic into the warehouse: joins group `archive` on each of them. The warehouse may be away for as long as it
 * likes, scoring does not notice; when it is back, the same slices go in under the same tokens, so that the archive ends
 * equal to the log. A fault that no repetition can mend stops the archive visibly.
 */
export interface Archive extends Membership {
  /** Resolves when everything that was on the log (or on these topics) at the call is stored, by whatever process; rejects where the archive has stopped or `signal` aborts. */
  drained(signal?: AbortSignal, only?: readonly ArchivedTopic[]): Promise<void>;
  /** Offset below which records of a partition that this process archives are stored; null where none is. */
  storedUpTo(topic: ArchivedTopic, partition: number): number | null;
}

const drainPollMs = 20;

export async function createArchive(options: ArchiveOptions): Promise<Archive> {
  const { log, settings, telemetry } = options;
  const shared = {
    bulkhead: bulkhead(settings.insertsMax, Number.MAX_SAFE_INTEGER),
    brake: createBrake(options),
    tables: new Map() as Tables,
  };
  const partitions = new Map<string, ArchivePartition>();
  const drains = new Set<readonly ArchivedTopic[]>();

  const memberships: Membership[] = [];
  for (const topic of topics) memberships.push(await log.join('archive', topic, (partition) => open(topic, partition)));

  async function open(topic: ArchivedTopic, number: number) {
    const { failed, fail } = createFailure();
    // Whoever waits for other topics only does not want to wait behind transactions.
    const isBusy = () => options.isBusy?.() === true || drains.size > 0;
    const partition = await openArchivePartition({ ...options, isBusy }, topic, number, shared, fail);
    partition.hurry(isAwaited(topic));
    partitions.set(`${topic}/${number}`, partition);
    const start = partition.start ?? 'earliest';
    telemetry.consumerStarted({ group: 'archive', topic, partition: number, from: start });
    return {
      start,
      limit: { recordsMax: settings.sliceRecordsMax, bytesMax: settings.sliceBytesMax },
      process: (batch: LogBatch) => partition.take(batch),
      failed,
      close: async () => {
        await partition.close();
        partitions.delete(`${topic}/${number}`);
        telemetry.archiveLeft({ topic, partition: number });
      },
    } as const;
  }

  const leave = async () => {
    await Promise.all(memberships.map((membership) => membership.leave()));
  };
  const done = Promise.all(memberships.map((membership) => membership.done)).then(() => undefined);
  let stopped: { readonly fault: unknown } | null = null;
  done.catch(async (fault: unknown) => {
    stopped = { fault };
    telemetry.consumerFailed({ group: 'archive', topic: 'all', error: fault });
    await leave();
  });

  async function lag(): Promise<number> {
    const lags = [...partitions].map(async ([name, partition]) => {
      const [topic, number] = name.split('/') as [ArchivedTopic, string];
      const { first, next } = await log.bounds(topic, Number(number));
      return Math.max(next - (partition.position() ?? first), 0);
    });
    return (await Promise.all(lags)).reduce((sum, records) => sum + records, 0);
  }

  async function ends(only: readonly ArchivedTopic[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const topic of only) {
      for (let p = 0; p < log.partitions(topic); p++) found.set(`${topic}/${p}`, (await log.bounds(topic, p)).next);
    }
    return found;
  }

  function isAwaited(topic: ArchivedTopic): boolean {
    return [...drains].some((awaited) => awaited.includes(topic));
  }

  function hurryAwaited(): void {
    for (const topic of topics) {
      for (let p = 0; p < log.partitions(topic); p++) partitions.get(`${topic}/${p}`)?.hurry(isAwaited(topic));
    }
  }

  return {
    done,
    leave,
    lag,
    storedUpTo: (topic, partition) => partitions.get(`${topic}/${partition}`)?.position() ?? null,
    owned: () => {
      const owned = memberships.map((membership) => membership.owned());
      return owned.some((one) => one === null) ? null : owned.flatMap((one) => one ?? []);
    },
    async drained(signal, only = topics) {
      const goal = await ends(only);
      const drain = [...only];
      drains.add(drain);
      hurryAwaited();
      try {
        while ((await archiveLag(options, goal)) > 0) {
          if (stopped) throw stopped.fault;
          await sleep(drainPollMs, undefined, signal ? { signal } : {});
        }
      } finally {
        drains.delete(drain);
        hurryAwaited();
      }
    },
  };
}
