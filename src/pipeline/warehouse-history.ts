import { dayMs } from '../domain/bank-day.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { BacktestHistory } from './backtest.js';

/** Transactions and reference records of the warehouse in order of their time, slice by slice. */

export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Behind everything that a warehouse can hold. */
export const endOfTimeMs = Date.parse('2200-01-01T00:00:00Z');

/** As long as the longest memory of a feature: what came before changes no hit. */
const lookBackMs = 400 * dayMs;
/** Records of one statement: the embedded engine holds its answer whole. */
const sliceRecords = 50_000;
/** Bytes between two looks at the rest of the process. */
const pushBytes = 1 << 17;

interface Slice {
  fromMs: number;
  toMs: number;
  records: number;
  /** The reference records of earlier times, without the transactions. */
  readonly isEarlier: boolean;
}

const within = 'time >= fromUnixTimestamp64Milli({fromMs:Int64}) AND time < fromUnixTimestamp64Milli({toMs:Int64})';

/** What lies before `fromMs` is read too, as far as the engine remembers, but only brings its state on. */
export async function openWarehouseHistory(warehouse: Warehouse, { fromMs, toMs }: Period): Promise<BacktestHistory> {
  const hasReferences = await holdsReferences(warehouse);
  const period = { fromMs: fromMs - lookBackMs, toMs };
  const slices = await slicesOf(warehouse, hasReferences, period);
  const total = slices.reduce((sum, { records }) => sum + records, 0);
  return {
    total,
    identity: JSON.stringify(['warehouse', fromMs, toMs, total]),
    ...(fromMs > 0 ? { scoreFromMs: fromMs } : {}),
    async feed(scorer, between) {
      let done = 0;
      scorer.begin('warehouse');
      for (const { records, isEarlier, ...bounds } of slices) {
        for await (const chunk of warehouse.lines(sliceSql(hasReferences, !isEarlier), { ...bounds })) {
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

/** A database of an earlier release has no such table. */
async function holdsReferences(warehouse: Warehouse): Promise<boolean> {
  const [row] = await warehouse.query<{ result: number }>('EXISTS TABLE references');
  return row?.result === 1;
}

/** A reference record of the same instant comes first: it holds from then on. A line end inside a record is white space there. */
function sliceSql(hasReferences: boolean, hasTransactions: boolean): string {
  const transactions = `SELECT time, 1 AS kind, bank, id, raw AS record FROM transactions FINAL WHERE ${within}`;
  const references = `SELECT time, 0 AS kind, bank, id, body AS record FROM references FINAL WHERE ${within}`;
  const records = [...(hasReferences ? [references] : []), ...(hasTransactions ? [transactions] : [])].join(' UNION ALL ');
  return `SELECT replaceAll(record, '\\n', ' ') FROM (${records}) ORDER BY time, kind, bank, id`;
}

/** Whole minutes, so many at a time that a slice has about `sliceRecords`; before them the records of earlier times. */
async function slicesOf(warehouse: Warehouse, hasReferences: boolean, period: Period): Promise<Slice[]> {
  const times = (table: string): string => `SELECT time FROM ${table} WHERE ${within}`;
  const all = hasReferences ? `${times('transactions')} UNION ALL ${times('references')}` : times('transactions');
  const minutes = await warehouse.query<{ minuteMs: number; n: number }>(
    `SELECT toUnixTimestamp64Milli(toDateTime64(toStartOfMinute(time), 3)) AS minuteMs, count() AS n
     FROM (${all}) GROUP BY minuteMs ORDER BY minuteMs`,
    { ...period },
  );
  const slices: Slice[] = hasReferences ? await earlierReferences(warehouse, period) : [];
  for (const { minuteMs, n } of minutes) {
    const open = slices.at(-1)?.isEarlier === false ? slices.at(-1) : undefined;
    const next = {
      fromMs: Math.max(period.fromMs, minuteMs),
      toMs: Math.min(period.toMs, minuteMs + 60_000),
      records: n,
      isEarlier: false,
    };
    if (!open || open.records + n > sliceRecords) slices.push(next);
    else {
      open.toMs = next.toMs;
      open.records += n;
    }
  }
  return slices;
}

/** A profile holds until a later one: however old it is, it is taken in. */
async function earlierReferences(warehouse: Warehouse, { fromMs }: Period): Promise<Slice[]> {
  const bounds = { fromMs: beginOfTimeMs, toMs: fromMs };
  const [row] = await warehouse.query<{ n: number }>(`SELECT count() AS n FROM references WHERE ${within}`, bounds);
  const records = row?.n ?? 0;
  return records === 0 ? [] : [{ ...bounds, records, isEarlier: true }];
}

/** The warehouse's times begin there. */
const beginOfTimeMs = Date.parse('1900-01-01T00:00:00Z');
