import { crc32c } from '@node-rs/crc32';
import type { LogRecord } from '../../../ports/log.js';
import { codecNumber, type Compression, packRecords, unpackRecords } from './codecs.js';
import { KafkaError } from './faults.js';

/**
 * Kafka's record batch, version 2: what one producer wrote to one partition in one go.
 *
 *     0 base offset i64 · 8 length of what follows i32 · 12 leader epoch i32 · 16 version i8 · 17 CRC-32C of what follows u32
 *     21 attributes i16 · 23 last offset delta i32 · 27 first time i64 · 35 last time i64 · 43 producer id i64 · 51 producer
 *     epoch i16 · 53 first sequence i32 · 57 records i32 · 61 the records, compressed or not
 *
 * A record: length, attributes i8, time delta, offset delta, key, value, headers; lengths and deltas are zigzag varints.
 */

export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

const headerBytes = 61;
const crcFrom = 21;
const codecBits = 0x07;
/** Most bytes that the batch adds to one record's value. */
export const recordOverheadBytes = 32;

export async function encodeBatch(
  values: readonly Uint8Array[],
  origin: BatchOrigin,
  timeMs: number,
  compression: Compression,
): Promise<Buffer> {
  const packed = await packRecords(encodeRecords(values), compression);
  const batch = Buffer.allocUnsafe(headerBytes + packed.length);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(codecNumber(compression), 21);
  batch.writeInt32BE(values.length - 1, 23);
  batch.writeBigInt64BE(BigInt(timeMs), 27);
  batch.writeBigInt64BE(BigInt(timeMs), 35);
  batch.writeBigInt64BE(origin.producerId, 43);
  batch.writeInt16BE(origin.producerEpoch, 51);
  batch.writeInt32BE(origin.firstSequence, 53);
  batch.writeInt32BE(values.length, 57);
  packed.copy(batch, headerBytes);
  batch.writeUInt32BE(crc32c(batch.subarray(crcFrom)), 17);
  return batch;
}

function encodeRecords(values: readonly Uint8Array[]): Buffer {
  // Attributes, time delta 0, no key (-1) and no headers take a byte each.
  const lengths = values.map((value, i) => 4 + varintBytes(i) + varintBytes(value.length) + value.length);
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + varintBytes(length) + length, 0));
  let at = 0;
  for (const [i, value] of values.entries()) {
    at = writeVarint(bytes, at, lengths[i]!);
    at = bytes.writeUInt16BE(0, at);
    at = writeVarint(bytes, at, i);
    at = writeVarint(bytes, at, -1);
    at = writeVarint(bytes, at, value.length);
    bytes.set(value, at);
    at = bytes.writeUInt8(0, at + value.length);
  }
  return bytes;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface Decoded {
  readonly records: LogRecord[];
  /** The offset after the last whole batch; null where not even one is whole. */
  readonly next: number | null;
}

/**
 * The records from offset `from` on. Leaves out markers and what transactions took back; a last batch that is cut off is left
 * for the next fetch. Values are views of `bytes`. Throws where a checksum is wrong or a batch is packed in a way HuQi does not read.
 */
export async function decodeBatches(
  bytes: Buffer,
  from: number,
  place: string,
  aborted: readonly AbortedTransaction[] = [],
): Promise<Decoded> {
  const records: LogRecord[] = [];
  const isTakenBack = followTransactions(aborted);
  let next: number | null = null;
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    at = end;
    if (batch.readInt8(16) !== 2) throw new KafkaError(`${place} holds records of a client older than 0.11; use a newer one`);
    if (crc32c(batch.subarray(crcFrom)) !== batch.readUInt32BE(17)) {
      throw new KafkaError(`${place}: the batch at offset ${batch.readBigInt64BE(0)} is damaged (checksum)`);
    }
    const base = Number(batch.readBigInt64BE(0));
    next = base + batch.readInt32BE(23) + 1;
    if (isTakenBack(batch, next - 1)) continue;
    decodeRecords(await unpack(batch, place), batch.readInt32BE(57), base, from, records);
  }
  return { records, next };
}

async function unpack(batch: Buffer, place: string): Promise<Buffer> {
  try {
    return await unpackRecords(batch.subarray(headerBytes), batch.readInt16BE(21) & codecBits);
  } catch (cause) {
    const offset = batch.readBigInt64BE(0);
    throw new KafkaError(`${place}: the batch at offset ${offset} cannot be unpacked: ${(cause as Error).message}`, { cause });
  }
}

function decodeRecords(bytes: Buffer, count: number, base: number, from: number, records: LogRecord[]): void {
  const reader = createVarintReader(bytes);
  for (let i = 0; i < count; i++) {
    const length = reader.next();
    const end = reader.at + length;
    reader.at += 1;
    reader.next();
    const offset = base + reader.next();
    const keyBytes = Math.max(0, reader.next());
    reader.at += keyBytes;
    const valueBytes = Math.max(0, reader.next());
    if (offset >= from) records.push({ offset, value: bytes.subarray(reader.at, reader.at + valueBytes) });
    reader.at = end;
  }
}

/** Tells markers and batches that their producer took back, asked in the order of the log. */
function followTransactions(aborted: readonly AbortedTransaction[]): (batch: Buffer, lastOffset: number) => boolean {
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const taken = new Set<bigint>();
  return (batch, lastOffset) => {
    while (waiting[0] && waiting[0].firstOffset <= lastOffset) taken.add(waiting.shift()!.producerId);
    const attributes = batch.readInt16BE(21);
    const producerId = batch.readBigInt64BE(43);
    const isMarker = (attributes & 0x20) !== 0;
    if (isMarker) taken.delete(producerId);
    const isInTransaction = (attributes & 0x10) !== 0;
    return isMarker || (isInTransaction && taken.has(producerId));
  };
}

/** Reads zigzag varints; those of times may have more than 32 bits, whose upper ones nobody needs here. */
function createVarintReader(bytes: Buffer) {
  const reader = {
    at: 0,
    next(): number {
      let value = 0;
      for (let shift = 0; shift < 70; shift += 7) {
        const byte = bytes[reader.at++];
        if (byte === undefined) throw new RangeError('a record ends before its end');
        if (shift < 32) value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      }
      throw new RangeError('a number in a record has no end');
    },
  };
  return reader;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = ((value << 1) ^ (value >> 31)) >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let place = at;
  for (; rest >= 0x80; rest >>>= 7) bytes[place++] = (rest & 0x7f) | 0x80;
  bytes[place++] = rest;
  return place;
}
