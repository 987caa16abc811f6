import {
  OffsetOutOfRange,
  topics,
  type Log,
  type LogBatch,
  type LogRecord,
  type OnTrouble,
  type OutgoingRecord,
  type ReadLimit,
  type Topic,
} from '../../ports/log.js';
import { DataDirectoryError, type LmdbEnvironment } from '../lmdb-environment.js';
import { createConsumerGroups } from './consumer-groups.js';
import type { ReadRoom } from './read-room.js';
import { createRecordWaiters } from './record-waiters.js';

export interface LmdbLog extends Log {
  /** The advisory offset that a group was last known to have processed up to; null where there is none. For lag tools only. */
  committed(group: string, topic: Topic, partition: number): Promise<number | null>;
  /** An append as a part of somebody else's write. Throws where a record cannot be taken. */
  prepare(outgoing: readonly OutgoingRecord[]): PreparedAppend;
}

export interface PreparedAppend {
  /** Roughly what it will write. */
  readonly bytes: number;
  /** To be called inside the write transaction. */
  readonly write: () => void;
  /** To be called once that is durable: wakes who waits for records. */
  readonly done: () => void;
}

/** Longest record in bytes, and most records of one append. */
const recordBytesMax = 64 * 2 ** 20;
const appendRecordsMax = 100_000;
/** Records that one `trim` call removes at most. */
const trimRecordsMax = 1_024;
/** How often the advisory offsets are written. */
const commitIntervalMs = 1_000;

interface Bounds {
  readonly first: number;
  readonly next: number;
}

export interface LmdbLogOptions {
  readonly partitions: Record<Topic, number>;
  readonly onTrouble?: OnTrouble;
}

/**
 * The log port on LMDB. The offset of a record is its number within the partition. An append is one transaction over all
 * its topics and partitions; appends that come in while one is flushed share the next flush. Groups divide partitions among
 * the members of this process; `acquireDataDirectory` keeps other processes from consuming.
 * Throws `DataDirectoryError` where the directory was filled with another number of partitions: records would change owner.
 */
export function createLmdbLog(environment: LmdbEnvironment, options: LmdbLogOptions): LmdbLog {
  const records = environment.bytesTable('log-records');
  const boundsTable = environment.textTable('log-bounds');
  const commits = environment.textTable('log-commits');
  const partitions = checkPartitions(options.partitions);
  const prefixes = new Map(
    topics.flatMap((topic) => range(partitions[topic]).map((p) => [`${topic}/${p}`, recordPrefix(topic, p)])),
  );
  const uncommitted = new Map<string, number>();
  let commitTimer: NodeJS.Timeout | undefined;
  let closed = false;
  let closing: Promise<void> | undefined;

  assertSameLayout();
  const waiters = createRecordWaiters(
    (topic, partition) => readBounds(boundsTable, name(topic, partition)).next,
    environment.refresh,
  );
  const log = { partitions: (topic: Topic) => partitions[topic], append, read, bounds, waitFor, trim };
  const groups = createConsumerGroups(log, noteCommitted, options.onTrouble ?? (() => undefined));

  async function append(outgoing: readonly OutgoingRecord[]): Promise<void> {
    const { bytes, write, done } = prepare(outgoing);
    if (outgoing.length === 0) return;
    await environment.write(bytes, write);
    done();
  }

  function prepare(outgoing: readonly OutgoingRecord[]): PreparedAppend {
    assertOpen();
    return {
      bytes: checkOutgoing(outgoing),
      write: () => writeRecords(outgoing),
      done: () => {
        for (const { topic, partition } of outgoing) waiters.wake(topic, partition);
      },
    };
  }

  function writeRecords(outgoing: readonly OutgoingRecord[]): void {
    const touched = new Map<string, { first: number; next: number }>();
    for (const { topic, partition, value } of outgoing) {
      const key = name(topic, partition);
      let end = touched.get(key);
      if (!end) touched.set(key, (end = { ...readBounds(boundsTable, key) }));
      void records.put(recordKey(topic, partition, end.next++), value);
    }
    for (const [key, end] of touched) void boundsTable.put(key, encodeNumbers(end.first, end.next));
    if (!boundsTable.doesExist(layoutKey)) void boundsTable.put(layoutKey, encodeLayout(partitions));
  }

  /** With a `room` the records lie there, until it is cleared. */
  async function read(topic: Topic, partition: number, from: number, limit: ReadLimit, room?: ReadRoom): Promise<LogBatch> {
    assertOpen();
    assertPartition(topic, partition);
    environment.refresh();
    const { first, next } = readBounds(boundsTable, name(topic, partition));
    if (from < first) throw new OffsetOutOfRange(topic, partition, from, first);
    if (!Number.isInteger(from) || from > next) {
      throw new RangeError(
        `${topic}/${partition}: offset ${from} lies beyond the end ${next}: this log is not the one that the position was taken from`,
      );
    }
    const batch: LogRecord[] = [];
    let bytes = 0;
    let offset = from;
    for (; offset < next && batch.length < limit.recordsMax; offset++) {
      const key = recordKey(topic, partition, offset);
      const value = room ? records.getBinaryFast(key) : records.getBinary(key);
      if (!value)
        throw new Error(`${topic}/${partition}: the record at offset ${offset} is missing: the log is damaged, restore a copy`);
      bytes += value.length;
      if (batch.length > 0 && bytes > limit.bytesMax) break;
      // The library's shared buffer is longer than it says, and used again for the next value.
      const own = Buffer.from(value.buffer, value.byteOffset, value.length);
      batch.push({ offset, value: room ? room.hold(own) : own });
    }
    return { records: batch, next: offset };
  }

  async function bounds(topic: Topic, partition: number): Promise<Bounds> {
    assertOpen();
    assertPartition(topic, partition);
    environment.refresh();
    return readBounds(boundsTable, name(topic, partition));
  }

  function waitFor(topic: Topic, partition: number, from: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (closed) return Promise.resolve(false);
    assertPartition(topic, partition);
    return waiters.wait(topic, partition, from, timeoutMs, signal);
  }

  async function trim(topic: Topic, partition: number, below: number): Promise<void> {
    assertOpen();
    assertPartition(topic, partition);
    await environment.write(trimRecordsMax * 16, () => {
      const { first, next } = readBounds(boundsTable, name(topic, partition));
      const end = Math.min(below, next, first + trimRecordsMax);
      if (!(end > first)) return;
      for (let offset = first; offset < end; offset++) void records.remove(recordKey(topic, partition, offset));
      void boundsTable.put(name(topic, partition), encodeNumbers(end, next));
    });
  }

  function noteCommitted(group: string, topic: Topic, partition: number, offset: number): void {
    uncommitted.set(`${group}/${name(topic, partition)}`, offset);
    // Advisory: a failure to write it shows at the next real write, and the timer must not keep the process alive.
    commitTimer ??= setTimeout(() => void flushCommitted().catch(() => undefined), commitIntervalMs).unref();
  }

  async function flushCommitted(): Promise<void> {
    clearTimeout(commitTimer);
    commitTimer = undefined;
    const entries = [...uncommitted];
    uncommitted.clear();
    if (entries.length === 0) return;
    await environment.write(entries.length * 64, () => {
      for (const [key, offset] of entries) void commits.put(key, encodeNumbers(offset));
    });
  }

  async function committed(group: string, topic: Topic, partition: number): Promise<number | null> {
    environment.refresh();
    const key = `${group}/${name(topic, partition)}`;
    const stored = commits.getBinary(key);
    return uncommitted.get(key) ?? (stored ? stored.readDoubleLE(0) : null);
  }

  function close(): Promise<void> {
    closing ??= closeAll();
    return closing;
  }

  async function closeAll(): Promise<void> {
    await groups.close();
    closed = true;
    waiters.close();
    await flushCommitted().catch(() => undefined);
  }

  function recordKey(topic: Topic, partition: number, offset: number): Uint8Array {
    const key = prefixes.get(`${topic}/${partition}`)!;
    key.writeUIntBE(offset, key.length - 6, 6);
    return key;
  }

  function assertOpen(): void {
    if (closed) throw new Error('log: it is closed; open it again before using it');
  }

  function assertPartition(topic: Topic, partition: number): void {
    if (!prefixes.has(`${topic}/${partition}`)) {
      throw new RangeError(`${topic}/${partition}: there is no such partition, ${topic} has ${partitions[topic] ?? 0}`);
    }
  }

  /** Checked before anything is queued, so that a bad record fails its own append only. Returns the bytes to write. */
  function checkOutgoing(outgoing: readonly OutgoingRecord[]): number {
    if (outgoing.length > appendRecordsMax)
      throw new RangeError(`log: ${outgoing.length} records in one append, at most ${appendRecordsMax} are allowed`);
    let bytes = 0;
    for (const { topic, partition, value } of outgoing) {
      assertPartition(topic, partition);
      if (value.length > recordBytesMax) {
        throw new RangeError(`${topic}/${partition}: a record of ${value.length} bytes, at most ${recordBytesMax} are allowed`);
      }
      bytes += value.length + 32;
    }
    return bytes;
  }

  function assertSameLayout(): void {
    environment.refresh();
    const stored = boundsTable.getBinary(layoutKey);
    if (!stored) return;
    const kept = JSON.parse(stored.toString()) as Partial<Record<Topic, number>>;
    for (const topic of topics) {
      const was = kept[topic];
      if (was !== undefined && was !== partitions[topic]) {
        throw new DataDirectoryError(
          `Data directory ${environment.directory} holds ${topic} in ${was} partitions, ${partitions[topic]} are configured: set it back to ${was}, or start with an empty directory.`,
        );
      }
    }
  }

  return {
    ...log,
    join: async (group, topic, open) => {
      if (closing) throw new Error('log: it is closed; open it again before joining a group');
      return groups.join(group, topic, open);
    },
    committed,
    prepare,
    close,
  };
}

const layoutKey = '#layout';

function name(topic: Topic, partition: number): string {
  return `${topic}/${partition}`;
}

/** `topic, zero byte, partition u16`, and room for the offset as u48: byte order is offset order. */
function recordPrefix(topic: Topic, partition: number): Buffer {
  const key = Buffer.alloc(topic.length + 9);
  key.write(topic, 'latin1');
  key.writeUInt16BE(partition, topic.length + 1);
  return key;
}

function readBounds(table: { getBinary(key: string): Buffer | undefined }, key: string): Bounds {
  const stored = table.getBinary(key);
  return stored ? { first: stored.readDoubleLE(0), next: stored.readDoubleLE(8) } : { first: 0, next: 0 };
}

function encodeNumbers(...numbers: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(numbers.length * 8);
  for (const [i, number] of numbers.entries()) bytes.writeDoubleLE(number, i * 8);
  return bytes;
}

function encodeLayout(partitions: Record<Topic, number>): Buffer {
  return Buffer.from(JSON.stringify(partitions));
}

function checkPartitions(partitions: Record<Topic, number>): Record<Topic, number> {
  for (const topic of topics) {
    const count = partitions[topic];
    if (!Number.isInteger(count) || count < 1 || count > 1_024)
      throw new RangeError(`log: ${topic} has ${count} partitions, 1 to 1024 are allowed`);
  }
  return { ...partitions };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
