import { setImmediate as nextTurn } from 'node:timers/promises';
import { frameName, readForward, readFrame, role, type ForwardEntry, type FrameEntry } from '../domain/frame.js';
import { decodeReference } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import type { Log, LogBatch, LogRecord, ReadLimit, Topic } from '../ports/log.js';
import { type FrameViews, viewOfRow } from './frame-views.js';
import { type Batch, batchMost } from '../scoring/batch.js';
import { scanTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';

/** A record of the log is not what its topic holds. Nobody may skip it: what follows would be scored against a hole. */
export class LogDamaged extends Error {
  readonly retriable = false;
  constructor(topic: Topic, partition: number, offset: number, what: string, options: ErrorOptions = {}) {
    super(`${topic}/${partition}: the record at offset ${offset} is damaged: ${what}. Restore a copy of the log.`, options);
    this.name = 'LogDamaged';
  }
}

/** Entries after which the rest of the process gets its turn. */
const sliceEntries = 512;

/** Who takes the entries, in their order. What is given is valid during the call only. */
export interface Takers {
  /** The batch is full, or something else comes next. */
  readonly batch: () => void;
  readonly reference: (reference: Reference, receivedAtMs: number) => void;
  /** `view` is the payment that it is about. */
  readonly forward: (entry: ForwardEntry, view: TransactionView | null, receivedAtMs: number) => void;
  /** A record has been handed over whole. Where it is given, no batch goes beyond a record. */
  readonly end?: (offset: number) => void;
}

/**
 * Reads the entries of the records in order: fills `batch` with transactions and hands it over again and again, the last one not
 * full. Throws `LogDamaged`, and what the takers throw. `frameViews`: what need not be read again.
 */
export async function eachBatch(
  records: readonly LogRecord[],
  partition: number,
  batch: Batch,
  takers: Takers,
  frameViews?: FrameViews,
): Promise<void> {
  const take = (): void => {
    if (batch.count > 0) takers.batch();
    batch.count = 0;
  };
  let sinceTurn = 0;
  batch.count = 0;
  for (const { offset, value } of records) {
    const known = frameViews?.take(frameName(value));
    let next = 0;
    for (const entry of framesIn(value, partition, offset)) {
      const row = known?.rows[next++] ?? -1;
      if (entry.roles >= role.forward) {
        take();
        handOver(value, entry, partition, offset)(takers);
      } else {
        const at = batch.count;
        const view = batch.views[at]!;
        const isKnown = known && row >= 0 && viewOfRow(known.table, row, value, entry.start, entry.end, view);
        if (!isKnown && !scanTransaction(value, entry.start, entry.end, view)) {
          throw new LogDamaged('transactions', partition, offset, 'a transaction in it cannot be read');
        }
        batch.roles[at] = entry.roles;
        batch.flags[at] = entry.flags;
        batch.receivedAtMs[at] = entry.receivedAtMs;
        batch.count = at + 1;
        if (batch.count === batchMost) take();
      }
      if (++sinceTurn < sliceEntries) continue;
      sinceTurn = 0;
      await nextTurn();
    }
    if (!takers.end) continue;
    take();
    takers.end(offset);
  }
  take();
}

/** Reads an entry that is no transaction; what comes back hands it over. */
function handOver(value: Uint8Array, entry: FrameEntry, partition: number, offset: number): (takers: Takers) => void {
  try {
    return readOther(value, entry);
  } catch (cause) {
    throw damageOf(partition, offset, cause);
  }
}

/** Throws `RangeError` for a damaged one. */
function readOther(bytes: Uint8Array, { roles, receivedAtMs, start, end }: FrameEntry): (takers: Takers) => void {
  if (roles === role.reference) {
    const reference = decodeReference(bytes, start, end);
    return (takers) => takers.reference(reference, receivedAtMs);
  }
  if (roles !== role.forward) throw new RangeError(`an entry in it has the unknown roles ${roles}`);
  const entry = readForward(bytes, start, end);
  const { transaction } = entry;
  if (!transaction) return (takers) => takers.forward(entry, null, receivedAtMs);
  if (!scanTransaction(bytes, transaction.start, transaction.end, forwardView)) {
    throw new RangeError('the transaction of a forward in it cannot be read');
  }
  return (takers) => takers.forward(entry, forwardView, receivedAtMs);
}

const forwardView = new TransactionView();

function* framesIn(value: Uint8Array, partition: number, offset: number) {
  try {
    yield* readFrame(value);
  } catch (cause) {
    throw damageOf(partition, offset, cause);
  }
}

/** What makes a record unreadable, with its place; any other fault as it is. */
function damageOf(partition: number, offset: number, cause: unknown): unknown {
  if (!(cause instanceof RangeError)) return cause;
  return new LogDamaged('transactions', partition, offset, cause.message, { cause });
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
