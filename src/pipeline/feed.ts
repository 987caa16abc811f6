import { decodeEvents } from '../domain/event.js';
import { warningSchema, type Warning } from '../domain/warning.js';
import type { Log, LogRecord } from '../ports/log.js';
import { CursorUnknown, decodeCursor, earliest, encodeCursor, isAfter, type Position } from './log-cursor.js';

/**
 * The live feed is topic `warnings` read from a cursor: whoever comes back with the cursor of what was seen last goes on
 * without a gap and without a repeat, after a restart as well, and a slow reader costs nothing.
 */
export interface Feed {
  /**
   * Items after `cursor`, oldest first within a partition, partitions merged by the time they were raised or changed;
   * undefined = from the first kept. `cursor` of the answer is where to go on, also where there is no item.
   * Throws `CursorUnknown`, and `OffsetOutOfRange` where the cursor lies before what is kept.
   */
  read(cursor: string | undefined, limit: number): Promise<{ items: readonly FeedItem[]; cursor: string }>;
  /** True when there may be something after `cursor`, false at the time-out or when `signal` aborts. */
  wait(cursor: string | undefined, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** A cursor after which the last `count` items of each partition remain, fewer where fewer are kept; 0 = the end (“from now”). */
  tail(count: number): Promise<string>;
}

export interface FeedItem {
  /** Everything up to and including this item has been seen. */
  readonly cursor: string;
  readonly event: 'warning.raised' | 'warning.updated';
  readonly warning: Warning;
}

export interface FeedOptions {
  readonly log: Log;
  readonly settings: { readonly pageMax: number; readonly cachedFramesMax: number };
}

interface Entry {
  readonly event: FeedItem['event'];
  readonly warning: Warning;
  readonly timeMs: number;
  readonly after: Position;
}

interface Frame {
  readonly entries: readonly Entry[];
  readonly next: number;
}

const readBytesMax = 4 * 1024 * 1024;
/** Records read back at the start, to know what was said already: a restart repeats only what came last. */
const lookBackRecords = 256;

export function createFeed({ log, settings }: FeedOptions): Feed {
  const partitions = Array.from({ length: log.partitions('warnings') }, (_, p) => createPartitionFeed(log, p, settings));

  return {
    async read(cursor, limit) {
      const at = await positionsOf(cursor);
      const count = Math.min(Math.max(limit, 1), settings.pageMax);
      const queues = await Promise.all(partitions.map((partition, p) => partition.read(at[p] ?? start, count)));
      const items: FeedItem[] = [];
      while (items.length < count) {
        const p = earliest(queues.map(({ entries }) => entries));
        const entry = queues[p]?.entries.shift();
        if (!entry) break;
        at[p] = entry.after;
        items.push({ event: entry.event, warning: entry.warning, cursor: encodeCursor(at) });
      }
      // What was read to its end without an item left is behind the reader: repeats and other events.
      for (const [p, { entries, end }] of queues.entries()) if (entries.length === 0) at[p] = end;
      return { items, cursor: encodeCursor(at) };
    },

    async wait(cursor, timeoutMs, signal) {
      const at = await positionsOf(cursor);
      const first = new AbortController();
      const either = AbortSignal.any([signal, first.signal]);
      const waits = at.map(({ offset }, p) => log.waitFor('warnings', p, offset, timeoutMs, either));
      try {
        return await anyTrue(waits);
      } finally {
        first.abort();
      }
    },

    async tail(count) {
      return encodeCursor(await Promise.all(partitions.map((partition) => partition.tail(Math.min(count, settings.pageMax)))));
    },
  };

  async function positionsOf(cursor: string | undefined): Promise<Position[]> {
    const bounds = await Promise.all(partitions.map((_, p) => log.bounds('warnings', p)));
    if (cursor === undefined) return bounds.map(({ first }) => ({ offset: first, index: 0 }));
    const positions = decodeCursor(cursor, partitions.length);
    // A place beyond the end was taken from another log.
    if (positions.some(({ offset }, p) => offset > (bounds[p]?.next ?? 0))) throw new CursorUnknown();
    return positions;
  }
}

const start: Position = { offset: 0, index: 0 };

/** One partition: decodes each record once for all readers and passes over what a restarted producer says again. */
function createPartitionFeed(log: Log, partition: number, settings: FeedOptions['settings']) {
  const frames = new Map<number, Frame>();
  const firstSeen = createFirstSeen(Math.max(settings.cachedFramesMax * 8, 20_000));
  let lookedBack: Promise<void> | null = null;

  return {
    /** At most `count` entries after `from`, and the position after what was read. */
    async read(from: Position, count: number): Promise<{ entries: Entry[]; end: Position }> {
      await (lookedBack ??= lookBack());
      const entries: Entry[] = [];
      let end = from;
      for (let frame = await frameAt(from.offset); frame !== null; frame = await frameAt(end.offset)) {
        for (const entry of frame.entries) {
          if (entries.length < count && isAfter(entry.after, end)) entries.push(entry);
        }
        if (entries.length >= count) return { entries, end: entries.at(-1)?.after ?? end };
        end = { offset: frame.next, index: 0 };
      }
      return { entries, end };
    },

    async tail(count: number): Promise<Position> {
      await (lookedBack ??= lookBack());
      const { first, next } = await log.bounds('warnings', partition);
      const end = { offset: next, index: 0 };
      if (count <= 0) return end;
      const from = { offset: Math.max(first, next - count), index: 0 };
      const all: Entry[] = [];
      for (let at = from; at.offset < next;) {
        const page = await this.read(at, settings.pageMax);
        all.push(...page.entries);
        if (page.entries.length === 0) break;
        at = page.end;
      }
      // Before the first of the last `count` entries means after the one before it.
      return all.length <= count ? from : (all.at(-count - 1)?.after ?? from);
    },
  };

  async function frameAt(offset: number): Promise<Frame | null> {
    const cached = frames.get(offset);
    if (cached) return cached;
    const batch = await log.read('warnings', partition, offset, { recordsMax: 64, bytesMax: readBytesMax });
    for (const [i, record] of batch.records.entries()) {
      // Offsets may have gaps; a reader's offset is where the record before ended.
      const next = batch.records[i + 1]?.offset ?? batch.next;
      keep(i === 0 ? offset : record.offset, decode(record, next));
    }
    return frames.get(offset) ?? null;
  }

  function keep(offset: number, frame: Frame): void {
    frames.delete(offset);
    frames.set(offset, frame);
    const [oldest] = frames.keys();
    if (frames.size > Math.max(settings.cachedFramesMax, 64) && oldest !== undefined) frames.delete(oldest);
  }

  function decode(record: LogRecord, next: number): Frame {
    const { events } = decodeEvents(record.value);
    const entries: Entry[] = [];
    for (const [i, event] of events.entries()) {
      if (event.type !== 'warning.raised' && event.type !== 'warning.updated') continue;
      const warning = warningSchema.parse(event.data);
      const after = i === events.length - 1 ? { offset: next, index: 0 } : { offset: record.offset, index: i + 1 };
      if (!firstSeen.isFirst(`${warning.id}/${warning.revision}`, { offset: record.offset, index: i })) continue;
      entries.push({ event: event.type, warning, timeMs: Date.parse(event.time), after });
    }
    return { entries, next };
  }

  async function lookBack(): Promise<void> {
    const { first, next } = await log.bounds('warnings', partition);
    for (let offset = Math.max(first, next - lookBackRecords); offset < next;) {
      const frame = await frameAt(offset);
      if (!frame) return;
      offset = frame.next;
    }
  }
}

/** Where each revision of a warning was said first, over the latest `keysMax` of them. */
function createFirstSeen(keysMax: number) {
  const places = new Map<string, Position>();
  return {
    isFirst(key: string, place: Position): boolean {
      const known = places.get(key);
      if (known && isAfter(place, known)) return false;
      places.set(key, place);
      const [oldest] = places.keys();
      if (places.size > keysMax && oldest !== undefined) places.delete(oldest);
      return true;
    },
  };
}

/** True as soon as one is, false when all are false; rejects where one does before that. */
function anyTrue(waits: readonly Promise<boolean>[]): Promise<boolean> {
  const all = Promise.all(waits).then((results) => results.includes(true));
  // Told through `early`; nobody else looks at it.
  all.catch(() => undefined);
  const early = waits.map((wait) => wait.then((arrived) => (arrived ? true : all)));
  return Promise.race(early);
}
