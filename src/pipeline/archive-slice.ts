import { createHash } from 'node:crypto';
import { z } from 'zod';
import { decodeReference } from '../domain/reference-record.js';
import type { Log, LogRecord, ArchivedTopic } from '../ports/log.js';
import type { WarehouseTable } from '../ports/warehouse-rows.js';
import { backgroundTurn } from './background-turn.js';
import { eventRows, referenceRow, tableOfTopic } from './event-rows.js';
import { LogDamaged, readBetween } from './transaction-frames.js';
import { createTransactionRows } from './transaction-rows.js';

/**
 * A slice: the records of one partition in `[from, to)`, stored in the warehouse by one insert into each of its tables. Its bounds
 * are durable before the first try, and the tokens derive from them and from the rows, so that whatever is tried again is the same
 * rows under the same token.
 */
export const sliceSchema = z.object({ from: z.int(), to: z.int() });
export type Slice = z.infer<typeof sliceSchema>;

export interface SliceRows {
  readonly table: WarehouseTable;
  /** One JSON object a line. */
  readonly bytes: Uint8Array;
  readonly count: number;
}

/**
 * The rows' own digest is part of the token: the warehouse silently drops other rows under a token that it knows. So rows that a newer
 * release builds in another way, or that stand at the same place of a log that has lost its end, are stored.
 */
export async function tokenOf(topic: ArchivedTopic, partition: number, slice: Slice, rows: SliceRows): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < rows.bytes.length; at += hashedBytes) {
    if (at > 0) await backgroundTurn();
    hash.update(rows.bytes.subarray(at, at + hashedBytes));
  }
  const digest = hash.digest('base64url').slice(0, 22);
  return `${topic}:${partition}:${slice.from}-${slice.to}:${rows.table}:${digest}`;
}

/**
 * Bytes of records after which the rest of the process gets its turn: about a millisecond of work. A warning passes some twenty turns
 * from the request to the feed, and waits for one stretch in each of them.
 */
const stretchBytes = 48 * 1024;
/** The same of bytes to be hashed. */
const hashedBytes = 512 * 1024;

/** The same records give the same bytes. The topic's own table comes first. Throws `LogDamaged`. */
export async function buildRows(topic: ArchivedTopic, partition: number, records: readonly LogRecord[]): Promise<SliceRows[]> {
  const size = records.reduce((sum, { value }) => sum + value.length, 0);
  const build = topic === 'transactions' ? transactionRowBuilder(size) : eventRowBuilder(topic);
  let sinceTurn = 0;
  for (const { offset, value } of records) {
    try {
      build.add(value);
    } catch (cause) {
      throw new LogDamaged(topic, partition, offset, cause instanceof Error ? cause.message : String(cause), { cause });
    }
    sinceTurn += value.length;
    if (sinceTurn < stretchBytes) continue;
    sinceTurn = 0;
    await backgroundTurn();
  }
  return build.rows();
}

/** Reads exactly the records of a slice again. */
export async function readSlice(log: Log, topic: ArchivedTopic, partition: number, { from, to }: Slice): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const limit = { recordsMax: to - from, bytesMax: Number.MAX_SAFE_INTEGER };
  for await (const batch of readBetween(log, topic, partition, from, to, limit)) records.push(...batch.records);
  return records;
}

interface RowBuilder {
  add(record: Uint8Array): void;
  rows(): SliceRows[];
}

function transactionRowBuilder(sizeHint: number): RowBuilder {
  // Half of the entries are other partitions' payers; those that stay grow to about two and a half times their size.
  const references: string[] = [];
  const rows = createTransactionRows(sizeHint * 2, (frame, { start, end, receivedAtMs }) => {
    references.push(`${JSON.stringify(referenceRow(decodeReference(frame, start, end), receivedAtMs))}\n`);
  });
  return {
    add: (record) => rows.addFrame(record),
    rows: () => [
      { table: 'transactions', bytes: rows.bytes(), count: rows.count },
      ...(references.length > 0 ? [linesOf('references', references)] : []),
    ],
  };
}

function eventRowBuilder(topic: Exclude<ArchivedTopic, 'transactions'>): RowBuilder {
  const lines: string[] = [];
  return {
    add: (record) => {
      for (const row of eventRows(topic, record)) lines.push(`${JSON.stringify(row)}\n`);
    },
    rows: () => [linesOf(tableOfTopic[topic], lines)],
  };
}

function linesOf(table: WarehouseTable, lines: readonly string[]): SliceRows {
  return { table, bytes: Buffer.from(lines.join('')), count: lines.length };
}
