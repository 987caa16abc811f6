import { eventSchema } from '../../domain/event.js';
import { warningSchema, type Warning } from '../../domain/warning.js';
import type { Channel } from '../../ports/channel.js';
import type { Log, LogRecord } from '../../ports/log.js';

/** One warning as it was raised or changed, with the place in the log after it. */
export interface WarningFeedItem {
  readonly cursor: string;
  readonly event: 'warning.raised' | 'warning.updated';
  readonly warning: Warning;
}

/**
 * The live feed is the `warnings` topic itself, read from a cursor: what is on the log can be shown again after any restart,
 * and a slow reader costs nothing. A cursor holds one offset per partition, `12.0.7`; it names what was seen, whole.
 */
export interface WarningFeed {
  /** Items after `cursor`, oldest first within a partition, partitions merged by the time they were raised or changed. */
  read(cursor: string | undefined, limit: number): Promise<{ items: WarningFeedItem[]; cursor: string }>;
  wait(cursor: string | undefined, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** A cursor after which at least `count` items remain where so many are kept; 0 = the end. */
  tail(count: number): Promise<string>;
}

/** Shown on the feed as soon as it is on the log, which is before anything is dispatched: the delivery records that it was. */
export function createFeedChannel(): Channel {
  return { name: 'feed', deliver: () => Promise.resolve({ kind: 'delivered', status: 200, acknowledged: false }) };
}

const readBytesMax = 4 * 1024 * 1024;

/** Records are events whose `data` is a warning; other events on the topic are passed over. */
export function createWarningFeed(log: Log): WarningFeed {
  const partitions = log.partitions('warnings');

  const positions = async (cursor: string | undefined): Promise<number[]> => {
    if (cursor === undefined) return Promise.all(range(partitions, async (p) => (await log.bounds('warnings', p)).first));
    const offsets = cursor.split('.').map(Number);
    if (offsets.length === partitions && offsets.every((offset) => Number.isSafeInteger(offset) && offset >= 0)) return offsets;
    throw new CursorUnknown();
  };

  return {
    async read(cursor, limit) {
      const at = await positions(cursor);
      const queues = await Promise.all(
        at.map(async (from, p) => {
          const batch = await log.read('warnings', p, from, { recordsMax: limit, bytesMax: readBytesMax });
          return batch.records.map(decode);
        }),
      );
      const items: WarningFeedItem[] = [];
      while (items.length < limit) {
        const p = earliest(queues);
        const next = queues[p]?.shift();
        if (next === undefined) break;
        at[p] = next.next;
        if (next.item) items.push({ ...next.item, cursor: at.join('.') });
      }
      return { items, cursor: at.join('.') };
    },

    async wait(cursor, timeoutMs, signal) {
      const at = await positions(cursor);
      const first = new AbortController();
      const stop = () => first.abort();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      try {
        const waits = at.map((from, p) => log.waitFor('warnings', p, from, timeoutMs, first.signal));
        return await anyTrue(waits);
      } finally {
        signal.removeEventListener('abort', stop);
        stop();
      }
    },

    async tail(count) {
      const starts = range(partitions, async (p) => {
        const { first, next } = await log.bounds('warnings', p);
        return Math.max(first, next - count);
      });
      return (await Promise.all(starts)).join('.');
    },
  };
}

/** Thrown for a cursor of another feed or of another number of partitions. */
export class CursorUnknown extends Error {
  readonly retriable = false;
  constructor() {
    super('the cursor is not one of this feed; start again from the first kept item');
    this.name = 'CursorUnknown';
  }
}

interface Decoded {
  readonly next: number;
  readonly timeMs: number;
  readonly item: Omit<WarningFeedItem, 'cursor'> | null;
}

const decoder = new TextDecoder();

function decode(record: LogRecord): Decoded {
  const event = eventSchema.parse(JSON.parse(decoder.decode(record.value)));
  const next = record.offset + 1;
  const timeMs = Date.parse(event.time);
  if (event.type !== 'warning.raised' && event.type !== 'warning.updated') return { next, timeMs, item: null };
  return { next, timeMs, item: { event: event.type, warning: warningSchema.parse(event.data) } };
}

/** The queue whose head is oldest; the lowest partition where several are. */
function earliest(queues: readonly (readonly Decoded[])[]): number {
  let best = -1;
  let bestMs = Infinity;
  for (const [p, queue] of queues.entries()) {
    const head = queue[0];
    if (head && (best < 0 || head.timeMs < bestMs)) {
      best = p;
      bestMs = head.timeMs;
    }
  }
  return best;
}

/** True as soon as one is; false when all are false. */
async function anyTrue(waits: readonly Promise<boolean>[]): Promise<boolean> {
  const found = waits.map(async (wait) => {
    if (await wait) return true;
    throw new Error('nothing');
  });
  const settled = Promise.allSettled(waits);
  try {
    return await Promise.any(found);
  } catch {
    const failed = (await settled).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    return false;
  }
}

function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
