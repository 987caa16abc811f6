import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeEvents, type EventFrame } from '../domain/event.js';
import type { Log, Topic } from '../ports/log.js';
import { LogDamaged } from './transaction-frames.js';

/** Reading topics from end to end, for `huqi verify`. */

/** Says how far the work is: `done` of `total` in the unit of the stage, `total` 0 where it is not known. */
export type VerifyProgress = (stage: string, done: number, total: number) => void;

const limit = { recordsMax: 1_024, bytesMax: 16 * 2 ** 20 };

export type Ends = ReadonlyMap<string, number>;
export const placeOf = (topic: Topic, partition: number): string => `${topic}/${partition}`;

/** Offsets after the last record of every partition of some topics. */
export async function endsOfTopics(log: Log, topics: readonly Topic[]): Promise<Ends> {
  const ends = new Map<string, number>();
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++)
      ends.set(placeOf(topic, partition), (await log.bounds(topic, partition)).next);
  }
  return ends;
}

/**
 * Hands over every record from `from` (the first kept one at least) to the end, as it is when reading begins, or to `upTo`.
 * Resolves with where it ended. Old records may leave a log while it is read: then reading begins where it begins.
 */
export async function eachRecord(
  log: Log,
  topic: Topic,
  partition: number,
  { from = 0, upTo }: { readonly from?: number | undefined; readonly upTo?: number | undefined },
  take: (value: Uint8Array, offset: number) => void | Promise<void>,
): Promise<number> {
  const { first, next } = await log.bounds(topic, partition);
  const end = upTo ?? next;
  let at = Math.max(from, first);
  while (at < end) {
    const batch = await log.read(topic, partition, at, { ...limit, recordsMax: Math.min(limit.recordsMax, end - at) });
    for (const { value, offset } of batch.records) if (offset < end) await take(value, offset);
    if (batch.next === at) break;
    at = batch.next;
    // The rest of the process gets its turn: reading may not wait for anything.
    await nextTurn();
  }
  return Math.max(at, Math.min(end, from));
}

const head = Buffer.from('{"producer":"');
const quote = 0x22;

/** Who wrote a frame of events, without reading it whole; null where that does not show. */
export function producerOf(value: Uint8Array): string | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 256));
  if (bytes.compare(head, 0, head.length, 0, Math.min(head.length, bytes.length)) !== 0) return null;
  const end = bytes.indexOf(quote, head.length);
  return end === -1 ? null : bytes.toString('latin1', head.length, end);
}

/** Throws `LogDamaged`. */
export function readEvents(topic: Topic, partition: number, offset: number, value: Uint8Array): EventFrame {
  try {
    return decodeEvents(value);
  } catch (cause) {
    throw new LogDamaged(topic, partition, offset, 'it is not a frame of events', { cause });
  }
}
