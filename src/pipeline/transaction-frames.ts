import { setImmediate as nextTurn } from 'node:timers/promises';
import { readFrame } from '../domain/frame.js';
import type { Log, LogBatch, LogRecord, ReadLimit, Topic } from '../ports/log.js';
import { scanTransaction } from '../scoring/reader.js';
import type { TransactionView } from '../scoring/transaction-view.js';

/** A record of the log is not what its topic holds. Nobody may skip it: what follows would be scored against a hole. */
export class LogDamaged extends Error {
  readonly retriable = false;
  constructor(topic: Topic, partition: number, offset: number, what: string, options: ErrorOptions = {}) {
    super(`${topic}/${partition}: the record at offset ${offset} is damaged: ${what}. Restore a copy of the log.`, options);
    this.name = 'LogDamaged';
  }
}

export type VisitTransaction = (roles: number, flags: number, receivedAtMs: number) => void;

/** Transactions after which the rest of the process gets its turn. */
const sliceTransactions = 512;

/** Reads every transaction of the records into `view`, in order. Throws `LogDamaged`, and what `visit` throws. */
export async function eachTransaction(
  records: readonly LogRecord[],
  partition: number,
  view: TransactionView,
  visit: VisitTransaction,
): Promise<void> {
  let count = 0;
  for (const { offset, value } of records) {
    const entries = framesIn(value, partition, offset);
    for (const { roles, flags, receivedAtMs, start, end } of entries) {
      if (!scanTransaction(value, start, end, view)) {
        throw new LogDamaged('transactions', partition, offset, 'a transaction in it cannot be read');
      }
      visit(roles, flags, receivedAtMs);
      if (++count % sliceTransactions === 0) await nextTurn();
    }
  }
}

function* framesIn(value: Uint8Array, partition: number, offset: number) {
  try {
    yield* readFrame(value);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new LogDamaged('transactions', partition, offset, cause.message, { cause });
  }
}

/** Batches of `[from, upTo)`, whole records only. Throws `OffsetOutOfRange` where the beginning is gone. */
export async function* readBetween(
  log: Log,
  topic: Topic,
  partition: number,
  from: number,
  upTo: number,
  limit: ReadLimit,
): AsyncGenerator<LogBatch> {
  for (let at = from; at < upTo;) {
    const batch = await log.read(topic, partition, at, { ...limit, recordsMax: Math.min(limit.recordsMax, upTo - at) });
    const records = batch.records.filter(({ offset }) => offset < upTo);
    if (batch.next === at) throw new LogDamaged(topic, partition, at, `the log ends here, though it once reached ${upTo}`);
    at = Math.min(batch.next, upTo);
    yield { records, next: at };
  }
}
