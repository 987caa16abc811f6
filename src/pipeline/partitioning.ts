import type { Event, EventFrame } from '../domain/event.js';
import { encodeEvents } from '../domain/event.js';
import type { OutgoingRecord, Topic } from '../ports/log.js';

/** Events of one producer's batch, on their way to the partitions of a topic. */

/** Most events of one frame: keeps a record far below what a broker refuses. */
const eventsPerFrameMax = 256;
/** Most frames that one batch may make of one partition; a batch's sequence numbers are multiples of it. */
export const framesPerBatchMax = 65_536;

export interface EventBatch {
  readonly topic: Topic;
  readonly producer: string;
  /** Counts the producer's batches up; the same for the same batch, however often it is sent. */
  readonly sequence: number;
  /** See `EventFrame`. */
  readonly timeMs?: number;
  readonly events: readonly { readonly partition: number; readonly event: Event }[];
}

/**
 * Frames of at most `eventsPerFrameMax` events. Their sequence is the batch's times `framesPerBatchMax` plus the number of the
 * frame in its partition, so that a receiver's high-water mark tells a repeated frame from the batch's next one.
 */
export function framesOf(batch: EventBatch): { topic: Topic; partition: number; frame: EventFrame }[] {
  const byPartition = new Map<number, Event[]>();
  for (const { partition, event } of batch.events) {
    const events = byPartition.get(partition);
    if (events) events.push(event);
    else byPartition.set(partition, [event]);
  }
  const frames = [];
  for (const [partition, events] of byPartition) {
    for (let at = 0, part = 0; at < events.length; at += eventsPerFrameMax, part++) {
      if (part >= framesPerBatchMax) throw new RangeError(`${batch.producer}: a batch of ${events.length} events is too large`);
      frames.push({
        topic: batch.topic,
        partition,
        frame: {
          producer: batch.producer,
          sequence: batch.sequence * framesPerBatchMax + part,
          ...(batch.timeMs === undefined ? {} : { timeMs: batch.timeMs }),
          events: events.slice(at, at + eventsPerFrameMax),
        },
      });
    }
  }
  return frames;
}

export function recordsOf(frames: readonly { topic: Topic; partition: number; frame: EventFrame }[]): OutgoingRecord[] {
  return frames.map(({ topic, partition, frame }) => ({ topic, partition, value: encodeEvents(frame) }));
}
