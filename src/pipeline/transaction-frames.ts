import { setImmediate as nextTurn } from 'node:timers/promises';
import { readFrame } from '../domain/frame.js';
import type { Log, LogBatch, LogRecord, ReadLimit, Topic } from '../ports/log.js';
import { type Batch, batchMost } from '../scoring/batch.js';
import { scanTransaction } from '../scoring/reader.js';

/** A record of the log is not what its topic holds. Nobody may skip it: what follows would be scored against a hole. */
export class LogDamaged extends Error {
  readonly retriable = false;
  constructor(topic: Topic, partition: number, offset: number, what: string, options: ErrorOptions = {}) {
    super(`${topic}/${partition}: the record at offset ${offset} is damaged: ${what}. Restore a copy of the log.`, options);
    this.name = 'LogDamaged';
  }
}

/** Transactions after which the rest of the process gets its turn. */
const sliceTransactions = 512;

/**
 * Reads the transactions of the records in order: fills `batch` again and again and hands it over, the last one not full.
 * Throws `LogDamaged`, and what `take` throws.
 */
export async function eachBatch(records: readonly LogRecord[], partition: number, batch: Batch, take: () => void): Promise<void> {
  let sinceTurn = 0;
  batch.count = 0;
  for (const { offset, value } of records) {
    for (const { roles, flags, receivedAtMs, start, end } of framesIn(value, partition, offset)) {
      const at = batch.count;
      if (!scanTransaction(value, start, end, batch.views[at]!)) {
        throw new LogDamaged('transactions', partition, offset, 'a transaction in it cannot be read');
      }
      batch.roles[at] = roles;
      batch.flags[at] = flags;
      batch.receivedAtMs[at] = receivedAtMs;
      batch.count = at + 1;
      if (batch.count < batchMost) continue;
      take();
      batch.count = 0;
      sinceTurn += batchMost;
      if (sinceTurn < sliceTransactions) continue;
      sinceTurn = 0;
      await nextTurn();
    }
  }
  if (batch.count > 0) take();
  batch.count = 0;
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
