import type { Warehouse } from '../ports/warehouse.js';
import type { BacktestHistory } from './backtest.js';

/** The transactions of the warehouse in order of their time, slice by slice. */

export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Behind everything that a warehouse can hold. */
export const endOfTimeMs = Date.parse('2200-01-01T00:00:00Z');

/** Records of one statement: the embedded engine holds its answer whole. */
const sliceRecords = 50_000;
/** Bytes between two looks at the rest of the process. */
const pushBytes = 1 << 17;

interface Slice extends Period {
  readonly records: number;
}

const within = 'time >= fromUnixTimestamp64Milli({fromMs:Int64}) AND time < fromUnixTimestamp64Milli({toMs:Int64})';

export async function openWarehouseHistory(warehouse: Warehouse, period: Period): Promise<BacktestHistory> {
  const slices = await slicesOf(warehouse, period);
  const total = slices.reduce((sum, { records }) => sum + records, 0);
  return {
    total,
    identity: JSON.stringify(['warehouse', period.fromMs, period.toMs, total]),
    async feed(scorer, between) {
      let done = 0;
      scorer.begin('warehouse');
      for (const { fromMs, toMs, records } of slices) {
        const chunks = warehouse.lines(
          // A line end inside a record is white space there.
          `SELECT replaceAll(raw, '\\n', ' ') FROM transactions FINAL WHERE ${within} ORDER BY time, bank, id`,
          { fromMs, toMs },
        );
        for await (const chunk of chunks) {
          const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
          for (let at = 0; at < bytes.length; at += pushBytes) {
            await scorer.push(bytes.subarray(at, at + pushBytes));
            await between(done + Math.min(records, Math.round((records * at) / bytes.length)));
          }
        }
        done += records;
        await between(done);
      }
      await scorer.finish();
    },
  };
}

/** Whole minutes, so many at a time that a slice has about `sliceRecords`. */
async function slicesOf(warehouse: Warehouse, period: Period): Promise<Slice[]> {
  const minutes = await warehouse.query<{ minuteMs: number; n: number }>(
    `SELECT toUnixTimestamp(toStartOfMinute(time)) * 1000 AS minuteMs, count() AS n
     FROM transactions WHERE ${within} GROUP BY minuteMs ORDER BY minuteMs`,
    { ...period },
  );
  const slices: { fromMs: number; toMs: number; records: number }[] = [];
  for (const { minuteMs, n } of minutes) {
    const open = slices.at(-1);
    const next = { fromMs: Math.max(period.fromMs, minuteMs), toMs: Math.min(period.toMs, minuteMs + 60_000), records: n };
    if (!open || open.records + n > sliceRecords) slices.push(next);
    else {
      open.toMs = next.toMs;
      open.records += n;
    }
  }
  return slices;
}
