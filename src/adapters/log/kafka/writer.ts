import { setTimeout as sleep } from 'node:timers/promises';
import type { OutgoingRecord, Topic } from '../../../ports/log.js';
import { Unavailable } from '../../../ports/unavailable.js';
import type { Cluster } from './cluster.js';
import type { Compression } from './codecs.js';
import { isPassing, reasonOf, refusal, rideOut } from './faults.js';
import { createProducer, type Producer, type Slice } from './producer.js';
import { recordOverheadBytes } from './record-batch.js';

/** Bytes of one partition's part of a send: below the topics' `max.message.bytes`, with room for what a batch adds. */
export const batchBytesMax = 15 * 2 ** 20;
/** Bytes of one send over all its partitions. */
const sendBytesMax = 32 * 2 ** 20;
/** How long a broker may wait for the copies of an append before it answers that it does not know. */
const copiesMsMax = 5_000;

export interface WriterOptions {
  readonly deadlineMs: number;
  readonly compression: Compression;
  readonly nameOf: (topic: Topic) => string;
  /** The end of a partition, known from an append that went well. */
  readonly onAppended: (topic: Topic, partition: number, next: number) => void;
  readonly onProducerReplaced: (reason: string) => void;
}

/** One call of `append`: counts down what is still to be sent, fails with the first fault. */
interface Pending {
  left: number;
  hasFailed: boolean;
  readonly queuedAt: number;
  readonly resolve: () => void;
  readonly reject: (fault: unknown) => void;
}

interface Queued {
  readonly record: OutgoingRecord;
  readonly pending: Pending;
}

/**
 * Appends by an idempotent producer with one send in flight: what comes meanwhile shares the next send, in its order. A part
 * whose outcome is not known is sent again under the same numbers until the deadline, so that it is kept once. Then the append
 * rejects with `Unavailable` and the producer is replaced: numbers that may be used up are never given to other records.
 */
export function createWriter(cluster: Cluster, options: WriterOptions) {
  let queue: Queued[] = [];
  let producer: Producer | null = null;
  let sending: Promise<void> | null = null;

  function append(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const pending: Pending = { left: records.length, hasFailed: false, queuedAt: performance.now(), resolve, reject };
      for (const record of records) queue.push({ record, pending });
      sending ??= sendAll().finally(() => {
        sending = null;
      });
    });
  }

  async function sendAll(): Promise<void> {
    while (queue.length > 0) {
      // What is appended in the same turn goes along.
      await Promise.resolve();
      await sendOnce(takeNext());
    }
  }

  /** As much from the head of the queue as one send takes. */
  function takeNext(): Queued[] {
    const bytes = new Map<string, number>();
    let total = 0;
    let count = 0;
    for (; count < queue.length; count++) {
      const { topic, partition, value } = queue[count]!.record;
      const place = `${topic}/${partition}`;
      const size = value.length + recordOverheadBytes;
      const inPartition = (bytes.get(place) ?? 0) + size;
      if (count > 0 && (inPartition > batchBytesMax || total + size > sendBytesMax)) break;
      bytes.set(place, inPartition);
      total += size;
    }
    const taken = queue.slice(0, count);
    queue = queue.slice(count);
    return taken;
  }

  async function sendOnce(taken: readonly Queued[]): Promise<void> {
    const oldest = Math.min(...taken.map(({ pending }) => pending.queuedAt));
    // What has waited behind a send that failed still gets its own try.
    const deadlineMs = Math.max(options.deadlineMs - (performance.now() - oldest), options.deadlineMs / 4);
    let slices: Slice<Queued>[];
    try {
      producer ??= await rideOut({ what: 'appending', deadlineMs, refresh: cluster.refresh }, () => createProducer(cluster));
      slices = await producer.slice(taken, options.nameOf, options.compression);
    } catch (fault) {
      for (const item of taken) reject(item, fault);
      return;
    }
    await sendSlices(slices, performance.now() + deadlineMs);
  }

  async function sendSlices(slices: readonly Slice<Queued>[], until: number): Promise<void> {
    let left = slices;
    for (let pause = 50; ; pause = Math.min(pause * 2, 1_000)) {
      const { failed } = await producer!.send(left, Math.min(copiesMsMax, options.deadlineMs / 2), settle);
      const refused = failed.filter(({ fault }) => !isPassing(fault));
      const passing = failed.filter(({ fault }) => isPassing(fault));
      if (failed.length === 0) return;
      if (refused.length > 0 || performance.now() + pause >= until) {
        for (const { slice, fault } of refused) fail(slice, refusalOf(slice, fault));
        for (const { slice, fault } of passing) fail(slice, unknownOutcome(slice, fault));
        replace(reasonOf(failed[0]!.fault));
        dropBehind(failed.map(({ slice, fault }) => [placeOf(slice), fault]));
        return;
      }
      left = passing.map(({ slice }) => slice);
      await sleep(pause);
      await cluster.refresh().catch(() => undefined);
    }
  }

  function settle(slice: Slice<Queued>, firstOffset: number | null): void {
    for (const { pending } of slice.items) if (--pending.left === 0) pending.resolve();
    if (firstOffset === null) return;
    const { topic, partition } = slice.items[0]!.record;
    options.onAppended(topic, partition, firstOffset + slice.items.length);
  }

  /**
   * What was to follow into the same partition fails as well: it must not stand there without what came before it. So does the
   * rest of a call of which a part has failed.
   */
  function dropBehind(failed: readonly (readonly [string, unknown])[]): void {
    const faults = new Map(failed);
    for (const { record, pending } of queue) {
      const place = `${record.topic}/${record.partition}`;
      if (!faults.has(place) || pending.hasFailed) continue;
      const message = `${place}: not appended, since what was to come before it is in doubt`;
      reject({ pending }, new Unavailable(message, { cause: faults.get(place) }));
    }
    queue = queue.filter(({ pending }) => !pending.hasFailed);
  }

  function replace(reason: string): void {
    producer = null;
    options.onProducerReplaced(reason);
  }

  /** Waits for what is being sent; nothing more is sent after it. */
  async function close(): Promise<void> {
    await sending;
  }

  return { append, close };
}

function fail(slice: Slice<Queued>, fault: unknown): void {
  for (const item of slice.items) reject(item, fault);
}

function reject({ pending }: Pick<Queued, 'pending'>, fault: unknown): void {
  pending.hasFailed = true;
  pending.reject(fault);
}

function placeOf(slice: Slice<Queued>): string {
  const { topic, partition } = slice.items[0]!.record;
  return `${topic}/${partition}`;
}

/** Codes after which the numbers of the producer and those of the broker do not fit: a part of it may be there. */
const doubtfulTypes = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN',
]);

function refusalOf(slice: Slice<Queued>, fault: unknown): unknown {
  if (doubtfulTypes.has(reasonOf(fault))) return unknownOutcome(slice, fault);
  return refusal(`${placeOf(slice)}: appending`, fault);
}

function unknownOutcome(slice: Slice<Queued>, fault: unknown): Unavailable {
  const reason = reasonOf(fault);
  return new Unavailable(`${placeOf(slice)}: it is not known whether Kafka has what was appended: ${reason}`, { cause: fault });
}
