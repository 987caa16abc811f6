import type { LogBatch, LogRecord, ReadLimit } from '../../../ports/log.js';

const bytesMax = 32 * 2 ** 20;

interface Leftover {
  readonly records: readonly LogRecord[];
  readonly next: number;
  readonly bytes: number;
}

/**
 * What a fetch brought beyond the limit of a read: Kafka gives whole batches, and a reader of few records at a time would
 * fetch the same batch again and again. Found by the place and the offset that the next read starts at; what was put away
 * first is forgotten first.
 */
export function createLeftovers() {
  const kept = new Map<string, Leftover>();
  let bytes = 0;

  /** Takes what is kept for a read from there; undefined where that must be fetched. */
  function take(place: string, from: number): Leftover | undefined {
    const key = `${place}@${from}`;
    const found = kept.get(key);
    if (found) forget(key, found);
    return found;
  }

  /** Gives as much as the limit allows, at least one record, and keeps the rest. */
  function cut(place: string, records: readonly LogRecord[], next: number, limit: ReadLimit): LogBatch {
    let count = 0;
    let taken = 0;
    while (count < records.length && count < limit.recordsMax) {
      const { length } = records[count]!.value;
      if (count > 0 && taken + length > limit.bytesMax) break;
      taken += length;
      count++;
    }
    if (count === records.length) return { records, next };
    const rest = records.slice(count);
    keep(`${place}@${rest[0]!.offset}`, rest, next);
    return { records: records.slice(0, count), next: rest[0]!.offset };
  }

  function keep(key: string, records: readonly LogRecord[], next: number): void {
    const before = kept.get(key);
    if (before) forget(key, before);
    // Each record keeps the whole answer that it lies in alive; close enough, since the rest is what is left of it.
    const size = records.reduce((sum, { value }) => sum + value.length + 64, 0);
    kept.set(key, { records, next, bytes: size });
    bytes += size;
    for (const [oldest, leftover] of kept) {
      if (bytes <= bytesMax || oldest === key) break;
      forget(oldest, leftover);
    }
  }

  function forget(key: string, leftover: Leftover): void {
    kept.delete(key);
    bytes -= leftover.bytes;
  }

  /** Forgets all of a partition. */
  function drop(place: string): void {
    for (const [key, leftover] of kept) if (key.startsWith(`${place}@`)) forget(key, leftover);
  }

  return { take, cut, drop };
}
