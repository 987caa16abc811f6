import { encodeForward, encodeFrame, role, type FrameInput } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { partitionOf } from '../domain/partition.js';
import { subjectKeyOf } from '../domain/warning-facts.js';
import type { OutgoingRecord } from '../ports/log.js';
import { frameBytesMax } from './intake-frames.js';
import { framesOf, recordsOf } from './partitioning.js';
import { rawText, rejectedEvent } from './rejections.js';
import type { Told } from './score.js';

/** A record on which scoring failed: kept for people, the rest went on. */
export interface Quarantined {
  readonly id: string;
  readonly bank: string;
  readonly timeMs: number;
  readonly record: Uint8Array;
  /** Name of the error. Its message may hold what the transaction says. */
  readonly fault: string;
}

/** What one record of the partition's log led to. */
export interface RecordOutputs {
  readonly offset: number;
  readonly hits: readonly Hit[];
  readonly quarantined: readonly Quarantined[];
  /** For other partitions. */
  readonly told: readonly Told[];
}

export interface BatchOutputs {
  readonly partition: number;
  /** When it leaves. */
  readonly timeMs: number;
  /** In the order of the log. */
  readonly outputs: readonly RecordOutputs[];
  readonly partitions: number;
  readonly hitPartitions: number;
  readonly rejectedPartitions: number;
}

/** Hits of patterns on trial are kept and counted; nobody who warns takes events of their type. */
const typeOf = ({ state }: Hit): string => (state === 'active' ? 'hit.found' : 'hit.shadow');

/**
 * Numbers what a record led to, from 1. It is the record's place on the log and not a count of batches, so that it is the same
 * however the log is cut into batches: a store that has lost its last commits leads to other batches, and to the same numbers.
 */
const sequenceOf = (offset: number): number => offset + 1;

/** What leaves a scored batch: the same under the same pattern set, but for the hour and for how it is packed. */
export function outputRecords(batch: BatchOutputs): OutgoingRecord[] {
  return [...batch.outputs.flatMap((outputs) => eventRecords(batch, outputs)), ...forwardRecords(batch)];
}

function eventRecords(batch: BatchOutputs, outputs: RecordOutputs): OutgoingRecord[] {
  const producer = `score/${batch.partition}`;
  const source = `huqi/${producer}`;
  const sequence = sequenceOf(outputs.offset);
  const hits = outputs.hits.map((hit) => ({
    partition: partitionOf(subjectKeyOf(hit), batch.hitPartitions),
    event: { id: hit.id, type: typeOf(hit), source, subject: hit.transaction, time: hit.time, data: hit },
  }));
  const rejected = outputs.quarantined.map(({ id, bank, timeMs, record, fault }) => ({
    partition: partitionOf(bank, batch.rejectedPartitions),
    event: rejectedEvent(
      {
        bank,
        line: 0,
        reason: 'scoring-fault',
        field: '',
        message: `scoring failed on this record (${fault}); it is on the log, but was not looked at`,
        id,
        raw: rawText(record, 0, record.length),
      },
      source,
      // Not the clock's: the event is the same whenever the batch is scored.
      timeMs,
    ),
  }));
  return recordsOf([
    ...framesOf({ topic: 'hits', producer, sequence, timeMs: batch.timeMs, events: hits }),
    ...framesOf({ topic: 'rejected', producer, sequence, events: rejected }),
  ]);
}

/** One frame for each receiving partition, more only where it would become too large for a broker. */
function forwardRecords({ partition, outputs, partitions }: BatchOutputs): OutgoingRecord[] {
  const byReceiver = new Map<number, FrameInput[][]>();
  const sizes = new Map<number, number>();
  for (const { offset, told } of outputs) {
    for (const [index, { forward, transaction, receivedAtMs }] of told.entries()) {
      const receiver = partitionOf(forward.to, partitions);
      const bytes = encodeForward({ from: partition, sequence: sequenceOf(offset), index }, forward, transaction);
      const frames = byReceiver.get(receiver) ?? [];
      byReceiver.set(receiver, frames);
      const size = sizes.get(receiver) ?? Infinity;
      if (size >= frameBytesMax) frames.push([]);
      frames.at(-1)!.push({ roles: role.forward, flags: 0, receivedAtMs, bytes });
      sizes.set(receiver, (size >= frameBytesMax ? 0 : size) + bytes.length);
    }
  }
  return [...byReceiver].flatMap(([receiver, frames]) =>
    frames.map((entries) => ({ topic: 'transactions' as const, partition: receiver, value: encodeFrame(entries) })),
  );
}
