import { setTimeout as sleep } from 'node:timers/promises';
import { OffsetOutOfRange, type LogBatch, type ReadLimit, type Topic } from '../../../ports/log.js';
import type { Cluster, Lane } from './cluster.js';
import { checkCode, refusal, rideOut, typeOf } from './faults.js';
import { fetchRecords } from './fetch.js';
import { groupBy } from './group-by.js';
import { createLeftovers } from './leftovers.js';

export interface Bounds {
  readonly first: number;
  readonly next: number;
}

/** Bytes of one fetch: what the reader wants, but not so little that a fetch brings one small batch only. */
const fetchBytes = { min: 256 * 1_024, max: 16 * 2 ** 20 } as const;
const latest = -1;
const earliest = -2;

/** Offsets of partitions as the brokers know them: the first kept and the one after the last that readers may see. */
export async function listOffsets(
  cluster: Cluster,
  lane: Lane,
  topic: string,
  partitions: readonly number[],
  which: 'first' | 'next',
): Promise<Map<number, number>> {
  const byLeader = groupBy(partitions, (partition) => cluster.leaderOf(topic, partition));
  const found = new Map<number, number>();
  const asked = [...byLeader].map(async ([leader, led]) => {
    const link = await cluster.link(leader, lane);
    const timestamp = which === 'first' ? earliest : latest;
    const answer = await link.ask<{
      responses: { partitions: { partition: number; errorCode: number; offset: string }[] }[];
    }>('ListOffsets', { topics: [{ topic, partitions: led.map((partition) => ({ partition, timestamp })) }] });
    for (const { partition, errorCode, offset } of answer.responses.flatMap((one) => one.partitions)) {
      checkCode(errorCode);
      found.set(partition, Number(offset));
    }
  });
  await Promise.all(asked);
  return found;
}

export function createReader(cluster: Cluster, nameOf: (topic: Topic) => string, deadlineMs: number) {
  const leftovers = createLeftovers();
  const refresh = () => cluster.refresh();

  async function read(topic: Topic, partition: number, from: number, limit: ReadLimit, signal?: AbortSignal): Promise<LogBatch> {
    const place = `${topic}/${partition}`;
    if (!Number.isInteger(from) || from < 0) throw new RangeError(`${place}: ${from} is no offset`);
    const kept = leftovers.take(place, from);
    if (kept) return leftovers.cut(place, kept.records, kept.next, limit);
    const bytesMax = Math.min(Math.max(limit.bytesMax, fetchBytes.min), fetchBytes.max);
    for (let position = from; ;) {
      const { records, next } = await fetchAt(topic, partition, position, bytesMax, signal);
      if (records.length > 0) return leftovers.cut(place, records, next ?? position, limit);
      // Whole batches without a record for us: markers, and what transactions took back.
      if (next === null || next <= position) return { records: [], next: position };
      position = next;
    }
  }

  async function fetchAt(topic: Topic, partition: number, from: number, bytesMax: number, signal?: AbortSignal) {
    const what = `${topic}/${partition}: reading`;
    for (let tries = 0; ; tries++) {
      try {
        return await rideOut({ what, deadlineMs, refresh, ...(signal ? { signal } : {}) }, async () => {
          const name = nameOf(topic);
          const link = await cluster.link(cluster.leaderOf(name, partition), 'fetch');
          return fetchRecords(link, name, partition, from, bytesMax).catch((fault: unknown) => {
            throw typeOf(fault) === 'OFFSET_OUT_OF_RANGE' ? new OutOfRange(fault) : fault;
          });
        });
      } catch (fault) {
        if (!(fault instanceof OutOfRange)) throw fault;
        await explainOutOfRange(topic, partition, from, tries, fault.cause);
      }
    }
  }

  /** A leader that has just taken over may know less than the one before for a moment: asked again before it counts. */
  async function explainOutOfRange(topic: Topic, partition: number, from: number, tries: number, cause: unknown): Promise<void> {
    const { first, next } = await bounds(topic, partition);
    if (from < first) throw new OffsetOutOfRange(topic, partition, from, first);
    if (tries < outOfRangeTries) {
      await sleep(outOfRangePauseMs);
      await refresh().catch(() => undefined);
    } else if (from > next) {
      throw new RangeError(
        `${topic}/${partition}: offset ${from} lies beyond the end ${next}: this log is not the one that the position was taken from, or Kafka has lost records`,
      );
    } else {
      throw refusal(`${topic}/${partition}: reading at ${from}`, cause);
    }
  }

  async function bounds(topic: Topic, partition: number): Promise<Bounds> {
    return rideOut({ what: `${topic}/${partition}: asking for its bounds`, deadlineMs, refresh }, async () => {
      const name = nameOf(topic);
      const [first, next] = await Promise.all([
        listOffsets(cluster, 'ask', name, [partition], 'first'),
        listOffsets(cluster, 'ask', name, [partition], 'next'),
      ]);
      return { first: first.get(partition)!, next: next.get(partition)! };
    });
  }

  async function trim(topic: Topic, partition: number, below: number): Promise<void> {
    await rideOut({ what: `${topic}/${partition}: trimming`, deadlineMs, refresh }, async () => {
      const { first, next } = await bounds(topic, partition);
      const offset = Math.min(below, next);
      if (!(offset > first)) return;
      const name = nameOf(topic);
      const link = await cluster.link(cluster.leaderOf(name, partition), 'ask');
      const answer = await link.ask<{ topics: { partitions: { errorCode: number }[] }[] }>('DeleteRecords', {
        topics: [{ topic: name, partitions: [{ partition, offset: String(offset) }] }],
        timeout: deadlineMs,
      });
      for (const { errorCode } of answer.topics.flatMap((one) => one.partitions)) checkCode(errorCode);
    });
    leftovers.drop(`${topic}/${partition}`);
  }

  return { read, bounds, trim };
}

const outOfRangeTries = 3;
const outOfRangePauseMs = 150;

/** Carries the answer out of the tries, which would take it for a refusal. */
class OutOfRange extends Error {
  readonly retriable = false;
  constructor(cause: unknown) {
    super('out of range', { cause });
  }
}
