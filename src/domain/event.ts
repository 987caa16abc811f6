import { z } from 'zod';

/** Anything on the log except transactions travels in this envelope (names after CloudEvents 1.0). */
export interface Event<T extends string = string, D = unknown> {
  /** Derived from the cause, so that redelivery is harmless. */
  readonly id: string;
  readonly type: T;
  /** Which part of HuQi said it, e.g. `huqi/score/3`. */
  readonly source: string;
  /** What it is about: a warning id, a transaction id … */
  readonly subject: string;
  /** ISO 8601, when it happened. */
  readonly time: string;
  readonly data: D;
}

export const eventSchema = z.object({
  id: z.string().min(1).max(128),
  type: z.string().min(1).max(64),
  source: z.string().max(64),
  subject: z.string().max(128),
  time: z.iso.datetime({ offset: true }),
  data: z.unknown(),
});

/**
 * What one record of a topic holds (all topics but `transactions`): the events of one producer's batch.
 * `sequence` counts a producer's batches up, so that a consumer drops a batch that a restart sent again.
 */
export interface EventFrame<E extends Event = Event> {
  readonly producer: string;
  readonly sequence: number;
  /** When it was put on the log, epoch milliseconds: the hour of whoever acts on it, the same whenever it is read. */
  readonly timeMs?: number | undefined;
  readonly events: readonly E[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeEvents(frame: EventFrame): Uint8Array {
  return encoder.encode(JSON.stringify(frame));
}

/**
 * The same as frames of at most `bytesMax` bytes where the events are small enough, numbered from `sequence` on: a log takes no
 * record of any size. None for no event.
 */
export function encodeEventsWithin(
  bytesMax: number,
  { producer, sequence }: { readonly producer: string; readonly sequence: number },
  events: readonly Event[],
): Uint8Array[] {
  const frames: string[][] = [];
  let bytes = Infinity;
  for (const event of events) {
    const text = JSON.stringify(event);
    const size = Buffer.byteLength(text) + 1;
    if (bytes + size > bytesMax) {
      frames.push([]);
      bytes = 0;
    }
    frames.at(-1)!.push(text);
    bytes += size;
  }
  return frames.map((texts, part) =>
    encoder.encode(`{"producer":${JSON.stringify(producer)},"sequence":${sequence + part},"events":[${texts.join(',')}]}`),
  );
}

const frameSchema = z.object({
  producer: z.string(),
  sequence: z.int(),
  timeMs: z.number().optional(),
  events: z.array(eventSchema),
});

/** Throws for bytes that are no event frame: the log is damaged, nobody may skip it. */
export function decodeEvents(bytes: Uint8Array): EventFrame {
  return frameSchema.parse(JSON.parse(decoder.decode(bytes)));
}
