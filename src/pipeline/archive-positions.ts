import { z } from 'zod';
import { archivedTopics, type ArchivedTopic, type Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { decodeJson } from './checkpoint.js';
import { ownedHeadKey } from './owned-slot.js';

/** How far the archive has come, whichever process it runs in. */

export const archiveSlot = (topic: ArchivedTopic, partition: number) => `archive/${topic}-${partition}`;

const storedSchema = z.object({ data: z.object({ position: z.int().nullable() }) });

/** Offset below which everything is stored in the warehouse; null where nothing is known to be. */
export async function archivedUpTo(state: State, topic: ArchivedTopic, partition: number): Promise<number | null> {
  const [value] = await state.get(archiveSlot(topic, partition), [ownedHeadKey]);
  return value ? storedSchema.parse(decodeJson(value)).data.position : null;
}

/** Records of all partitions that are not known to be stored. `ends`: counts up to there instead of to the log's end. */
export async function archiveLag(
  { log, state }: { readonly log: Log; readonly state: State },
  ends?: ReadonlyMap<string, number>,
): Promise<number> {
  const lags = archivedTopics.flatMap((topic) =>
    Array.from({ length: log.partitions(topic) }, async (_, partition) => {
      const [{ first, next }, stored] = await Promise.all([log.bounds(topic, partition), archivedUpTo(state, topic, partition)]);
      const end = ends ? (ends.get(`${topic}/${partition}`) ?? 0) : next;
      return Math.max(end - Math.max(stored ?? first, first), 0);
    }),
  );
  return (await Promise.all(lags)).reduce((sum, lag) => sum + lag, 0);
}
