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

export interface BatchOutputs {
  readonly partition: number;
  /** The journal's. */
  readonly sequence: number;
  readonly hits: readonly Hit[];
  readonly quarantined: readonly Quarantined[];
  /** For other partitions. */
  readonly told: readonly Told[];
  readonly partitions: number;
  readonly hitPartitions: number;
  readonly rejectedPartitions: number;
}

/** Hits of patterns on trial are kept and counted; nobody who warns takes events of their type. */
const typeOf = ({ state }: Hit): string => (state === 'active' ? 'hit.found' : 'hit.shadow');

/** What leaves a scored batch: the same records for the same batch under the same pattern set, however often it is scored. */
export function outputRecords(batch: BatchOutputs): OutgoingRecord[] {
  const producer = `score/${batch.partition}`;
  const source = `huqi/${producer}`;
  const hits = batch.hits.map((hit) => ({
    partition: partitionOf(subjectKeyOf(hit), batch.hitPartitions),
    event: { id: hit.id, type: typeOf(hit), source, subject: hit.transaction, time: hit.time, data: hit },
  }));
  const rejected = batch.quarantined.map(({ id, bank, timeMs, record, fault }) => ({
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
  const events = recordsOf([
    ...framesOf({ topic: 'hits', producer, sequence: batch.sequence, events: hits }),
    ...framesOf({ topic: 'rejected', producer, sequence: batch.sequence, events: rejected }),
  ]);
  return [...events, ...forwardRecords(batch)];
}

/** One frame for each receiving partition, more only where it would become too large for a broker. */
function forwardRecords({ partition, sequence, told, partitions }: BatchOutputs): OutgoingRecord[] {
  const byReceiver = new Map<number, FrameInput[][]>();
  const sizes = new Map<number, number>();
  for (const [index, { forward, transaction, receivedAtMs }] of told.entries()) {
    const receiver = partitionOf(forward.to, partitions);
    const bytes = encodeForward({ from: partition, sequence, index }, forward, transaction);
    const frames = byReceiver.get(receiver) ?? [];
    byReceiver.set(receiver, frames);
    const size = sizes.get(receiver) ?? Infinity;
    if (size >= frameBytesMax) frames.push([]);
    frames.at(-1)!.push({ roles: role.forward, flags: 0, receivedAtMs, bytes });
    sizes.set(receiver, (size >= frameBytesMax ? 0 : size) + bytes.length);
  }
  return [...byReceiver].flatMap(([receiver, frames]) =>
    frames.map((entries) => ({ topic: 'transactions' as const, partition: receiver, value: encodeFrame(entries) })),
  );
}
