import { decodeEvents } from '../domain/event.js';
import { maskText } from '../domain/privacy.js';
import { type Refusal, type Refusals, refusalSchema } from '../domain/refusal.js';
import type { Log } from '../ports/log.js';
import { CursorUnknown, decodeCursor, earliest, encodeCursor, type Position } from './log-cursor.js';

const latestRecords = 1_000;
const readRecords = 64;
const readBytesMax = 4 * 2 ** 20;

const refusedSchema = refusalSchema.omit({ time: true });

interface Entry {
  readonly refusal: Refusal;
  readonly timeMs: number;
  readonly after: Position;
}

export function createRefusals(log: Log): Refusals {
  const partitions = Array.from({ length: log.partitions('rejected') }, (_, partition) => partition);

  return {
    async page({ after, bank, limit }) {
      const at = await positionsOf(after);
      const queues = await Promise.all(partitions.map((partition) => read(partition, at[partition]!, bank, limit)));
      const items: Refusal[] = [];
      while (items.length < limit) {
        const partition = earliest(queues.map(({ entries }) => entries));
        const entry = queues[partition]?.entries.shift();
        if (!entry) break;
        at[partition] = entry.after;
        items.push(entry.refusal);
      }
      for (const [partition, { entries, end }] of queues.entries()) if (entries.length === 0) at[partition] = end;
      return { items, next: encodeCursor(at) };
    },
  };

  async function positionsOf(cursor: string | undefined): Promise<Position[]> {
    const bounds = await Promise.all(partitions.map((partition) => log.bounds('rejected', partition)));
    if (cursor === undefined)
      return bounds.map(({ first, next }) => ({ offset: Math.max(first, next - latestRecords), index: 0 }));
    const positions = decodeCursor(cursor, partitions.length);
    if (positions.some(({ offset }, partition) => offset > bounds[partition]!.next)) throw new CursorUnknown();
    return positions;
  }

  /** The next records: at most `limit` refusals, and the place behind what was read. */
  async function read(partition: number, from: Position, bank: string | undefined, limit: number) {
    const { records, next } = await log.read('rejected', partition, from.offset, {
      recordsMax: readRecords,
      bytesMax: readBytesMax,
    });
    const entries: Entry[] = [];
    let end: Position = { offset: next, index: 0 };
    for (const [i, record] of records.entries()) {
      const { events } = decodeEvents(record.value);
      for (const [index, { time, data }] of events.entries()) {
        if (record.offset === from.offset && index < from.index) continue;
        const after =
          index < events.length - 1
            ? { offset: record.offset, index: index + 1 }
            : { offset: records[i + 1]?.offset ?? next, index: 0 };
        const { id, ...refused } = refusedSchema.parse(data);
        if (bank !== undefined && refused.bank !== bank) continue;
        const named = id === undefined ? {} : { id: maskText(id) };
        const refusal = { time, ...refused, ...named, message: maskText(refused.message) };
        entries.push({ refusal, timeMs: Date.parse(time), after });
        if (entries.length < limit) continue;
        end = after;
        return { entries, end };
      }
    }
    return { entries, end };
  }
}
