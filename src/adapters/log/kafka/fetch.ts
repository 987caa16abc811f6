import { checkCode } from './faults.js';
import { protocolOf } from './kafkajs.js';
import type { Link } from './link.js';
import { decodeBatches, type AbortedTransaction, type Decoded } from './record-batch.js';

const fetchVersion = 11;
const readCommitted = 1;

/**
 * Reads one partition from one offset, at once and without waiting for more: at least one batch where there is one, however
 * large. Throws the broker's error; OFFSET_OUT_OF_RANGE where the offset lies before the first kept record or beyond the end.
 */
export async function fetchRecords(
  link: Link,
  topic: string,
  partition: number,
  from: number,
  bytesMax: number,
): Promise<Decoded> {
  const { request } = protocolOf('Fetch', null, {
    replicaId: -1,
    maxWaitTime: 0,
    minBytes: 1,
    maxBytes: bytesMax,
    isolationLevel: readCommitted,
    topics: [{ topic, partitions: [{ partition, fetchOffset: from, maxBytes: bytesMax }] }],
  });
  const { buffer } = await request.encode();
  const { code, aborted, records } = decodeAnswer(await link.send('Fetch', fetchVersion, [buffer]));
  checkCode(code);
  return decodeBatches(records, from, `${topic}/${partition}`, aborted);
}

/** Throttle i32, error i16, session i32, then one topic with one partition. */
function decodeAnswer(bytes: Buffer): { code: number; aborted: AbortedTransaction[]; records: Buffer } {
  const code = bytes.readInt16BE(4);
  if (code !== 0 || bytes.readInt32BE(10) === 0) return { code, aborted: [], records: Buffer.alloc(0) };
  let at = 14 + 2 + bytes.readInt16BE(14) + 4 + 4;
  const partitionCode = bytes.readInt16BE(at);
  // Error, high watermark, last stable offset, first offset.
  at += 2 + 8 + 8 + 8;
  const aborted: AbortedTransaction[] = [];
  const transactions = bytes.readInt32BE(at);
  at += 4;
  for (let i = 0; i < transactions; i++, at += 16) {
    aborted.push({ producerId: bytes.readBigInt64BE(at), firstOffset: Number(bytes.readBigInt64BE(at + 8)) });
  }
  // Preferred replica, then the length of the records.
  const length = Math.max(0, bytes.readInt32BE(at + 4));
  return { code: partitionCode, aborted, records: bytes.subarray(at + 8, at + 8 + length) };
}
