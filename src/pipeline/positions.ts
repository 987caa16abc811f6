import { z } from 'zod';
import type { Log, Topic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { archivedUpTo } from './archive-positions.js';
import { decodeJson } from './checkpoint.js';
import { takenUpTo } from './incoming-slot.js';
import { journalHeadKey, journalSlot } from './journal.js';
import { ownedHeadKey } from './owned-slot.js';
import { commandsProducer } from './warn-commands.js';

/** How far each consumer has come, read from the state: the same in every process. */

interface Reading {
  readonly log: Log;
  readonly state: State;
}

const journalSchema = z.object({ from: z.int(), upTo: z.int() });
const warnSchema = z.object({ data: z.object({ hits: z.int().nullable(), producers: z.record(z.string(), z.int()) }) });
const dispatchSchema = z.object({ data: z.object({ next: z.int().nullable() }) });

async function read<T>(state: State, slot: string, key: string, schema: z.ZodType<T>): Promise<T | null> {
  const [value] = await state.get(slot, [key]);
  return value ? schema.parse(decodeJson(value)) : null;
}

/** Offset of `topic` below which its consumer needs nothing any more; null where none is known to have come that far. */
export async function doneUpTo(state: State, topic: Topic, partition: number): Promise<number | null> {
  switch (topic) {
    case 'transactions':
      // The last batch is scored again by whoever takes the partition over.
      return (await read(state, journalSlot(partition), journalHeadKey, journalSchema))?.from ?? null;
    case 'hits':
      return (await read(state, `warn/${partition}`, ownedHeadKey, warnSchema))?.data.hits ?? null;
    case 'commands':
      return (
        (await read(state, `warn/${partition}`, ownedHeadKey, warnSchema))?.data.producers[commandsProducer(partition)] ?? null
      );
    case 'warnings':
      return (await read(state, `dispatch/${partition}`, ownedHeadKey, dispatchSchema))?.data.next ?? null;
    case 'incoming':
      return takenUpTo(state, partition);
    case 'rejected':
    case 'legs':
    case 'deliveries':
    case 'events':
    case 'controls':
      return Infinity;
  }
}

/** Offset below which nobody needs the records of a partition: what is not done and what is not archived is kept. */
export async function neededFrom(state: State, topic: Topic, partition: number): Promise<number> {
  const done = (await doneUpTo(state, topic, partition)) ?? 0;
  return topic === 'incoming' ? done : Math.min(done, (await archivedUpTo(state, topic, partition)) ?? 0);
}

/** Records of `transactions` that are not scored yet, over all partitions. */
export async function scoreLag({ log, state }: Reading): Promise<number> {
  const lags = Array.from({ length: log.partitions('transactions') }, async (_, partition) => {
    const [{ first, next }, entry] = await Promise.all([
      log.bounds('transactions', partition),
      read(state, journalSlot(partition), journalHeadKey, journalSchema),
    ]);
    return Math.max(next - Math.max(entry?.upTo ?? first, first), 0);
  });
  return (await Promise.all(lags)).reduce((sum, lag) => sum + lag, 0);
}

const pendingCountedMax = 10_000;

/** Deliveries planned and not settled, over all partitions; counted up to 10,000 a partition. */
export async function deliveriesPending({ log, state }: Reading): Promise<number> {
  const counts = Array.from({ length: log.partitions('warnings') }, async (_, partition) => {
    const waiting = await state.scan(`dispatch/${partition}`, { prefix: 'pending/', limit: pendingCountedMax });
    return waiting.length;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
