import type { Topic } from '../../../ports/log.js';
import { createWaitingRoom } from '../waiting-room.js';
import type { Cluster } from './cluster.js';
import { groupBy } from './group-by.js';
import { listOffsets } from './reader.js';

/** How often the ends of partitions that somebody waits for are asked for: soon after something came, seldom after a while. */
const pollMs = { min: 5, max: 50 } as const;
/** Between two tries while brokers cannot be reached. */
const faultPauseMs = 500;

/**
 * Those who wait for a record at an offset. One loop asks for the ends of all partitions that are waited for, one request a
 * leader and topic; what this process appends itself is known without asking. Nobody waits: nothing runs.
 */
export function createEnds(cluster: Cluster, nameOf: (topic: Topic) => string) {
  let timer: NodeJS.Timeout | undefined;
  let isPolling = false;
  let pauseMs: number = pollMs.min;
  const room = createWaitingRoom(
    () => schedule(0),
    () => {
      clearTimeout(timer);
      timer = undefined;
    },
  );

  /** The offset after the last record, as this process has just learnt it. */
  function note(topic: Topic, partition: number, next: number): void {
    if (room.note(topic, partition, () => next)) pauseMs = pollMs.min;
  }

  function schedule(afterMs: number): void {
    if (timer || isPolling || room.isEmpty()) return;
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
    const asked = [...groupBy(room.places(), ({ topic }) => topic)].map(async ([topic, waiters]) => {
      const partitions = waiters.map(({ partition }) => partition);
      const ends = await listOffsets(cluster, 'poll', nameOf(topic), partitions, 'next');
      for (const [partition, next] of ends) note(topic, partition, next);
    });
    const failed = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  return { wait: room.wait, note, close: room.close };
}
